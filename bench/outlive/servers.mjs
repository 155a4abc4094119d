/** The programs on the server's side of a lab: nginx, haproxy, sshd, and a UDP service of socat. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { run } from "./run.mjs";

export const PORT = { nginx: 8001, haproxy: 8002, ssh: 8022, tls: 8443, udp: 9001 };

/** What `wrk` asks for. */
export const SMALL = "the same for everybody\n";

/**
 * Sends in small pieces: nginx counts a rate in whole seconds, and would send a second's worth at
 * once. Answers of /small are not limited.
 */
const nginxText = (directory, perSecond) => `
daemon off;
master_process off;
error_log stderr error;
pid ${directory}/nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  root ${directory}/www;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  sendfile on;
  sendfile_max_chunk 4k;
  client_max_body_size 100m;
  client_body_buffer_size 4k;
  keepalive_requests 1000000;
  server {
    listen ${PORT.nginx};
    location / { limit_rate ${perSecond}; }
    location /small { }
    location /up/ { dav_methods PUT; }
  }
}
`;

const haproxyText = `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend outside
  bind :${PORT.haproxy}
  default_backend web
backend web
  server nginx 127.0.0.1:${PORT.nginx}
`;

const sshdText = (directory) => `
Port ${PORT.ssh}
HostKey ${directory}/host_key
AuthorizedKeysFile ${directory}/user_key.pub
PidFile none
PermitRootLogin yes
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
`;

/** Keys of a lab; none outlives its directory. */
function makeKeys(directory) {
  for (const name of ["host_key", "user_key"]) {
    const file = join(directory, name);
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  }
  const files = ["-keyout", join(directory, "tls.key"), "-out", join(directory, "tls.crt")];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const argv = ["req", ...kind, "-subj", "/CN=lab", "-days", "2", ...files];
  execFileSync("openssl", argv, { stdio: "ignore" });
}

/** Programs that start others end with all of them: they live in a process namespace. */
export const ALONE = ["unshare", "--pid", "--fork", "--kill-child"];

/**
 * sshd wants a directory below /run, and its sessions are to be a bare shell's, whatever this
 * machine's root has in its home. `ip netns exec` has given it mounts of its own.
 */
const OWN_MOUNTS = `for each in /run "$1"; do mount -t tmpfs -o mode=755 tmpfs "$each" || exit 1; done
mkdir /run/sshd && shift && exec "$@"`;

/**
 * Starts all of them in the server's namespace, and waits until they listen.
 * @param payload what there is to fetch
 * @param perSecond bytes at which nginx sends it
 */
export async function startServers(lab, payload, perSecond) {
  const { directory } = lab;
  for (const name of ["www", "www/up", "body"]) mkdirSync(join(directory, name));
  writeFileSync(join(directory, "www", "payload"), payload);
  writeFileSync(join(directory, "www", "small"), SMALL);
  writeFileSync(join(directory, "nginx.conf"), nginxText(directory, perSecond));
  writeFileSync(join(directory, "haproxy.conf"), haproxyText);
  writeFileSync(join(directory, "sshd.conf"), sshdText(directory));
  makeKeys(directory);
  const sshd = ["/usr/sbin/sshd", "-D", "-e", "-f", join(directory, "sshd.conf")];
  const programs = [
    ["nginx", "-p", directory, "-c", join(directory, "nginx.conf")],
    ["haproxy", "-db", "-q", "-f", join(directory, "haproxy.conf")],
    [...ALONE, "sh", "-c", OWN_MOUNTS, "sh", userInfo().homedir, ...sshd],
    [...ALONE, "socat", `UDP4-RECVFROM:${PORT.udp},fork`, "EXEC:cat"],
  ];
  const ends = programs.map((argv) => startQuiet(lab, argv));
  const isOver = () => {
    const dead = ends.find(({ child }) => child.exitCode !== null);
    if (dead) throw new Error(`${dead.argv.join(" ")} ended: ${dead.said.join("")}`);
  };
  await listening(lab, [PORT.nginx, PORT.haproxy, PORT.ssh], isOver);
}

/** Waits for TCP services on the server's side. @param isOver throws when that is in vain */
export async function listening(lab, ports, isOver = () => {}) {
  await lab.waitFor(`service on ${ports.join(" ")}`, async () => {
    isOver();
    const sockets = await run(lab, "server", ["ss", "-Hltn"]);
    return ports.every((port) => sockets.includes(`:${port} `));
  });
}

/** Starts a program whose words are kept for the case that it ends. */
function startQuiet(lab, argv) {
  const child = lab.spawn("server", argv);
  const said = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => said.push(text));
  }
  return { argv, child, said };
}

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { type LinkSettings, UdpLinks } from "../../../src/cluster/transport/udp.js";

const opened: UdpLinks[] = [];
afterEach(() => {
  for (const links of opened.splice(0)) links.close();
});

function open(settings: LinkSettings[], heard: string[] = []): UdpLinks {
  const links = new UdpLinks(settings, (link, bytes, address) => {
    heard.push(`${link} ${Buffer.from(bytes).toString()} ${address}`);
  });
  opened.push(links);
  return links;
}

describe("links", () => {
  test("unicast: a datagram arrives with its link and where it came from", async () => {
    const [here, there] = [await freePort(), await freePort()];
    const base = { interface: "lo", group: null };
    const heard: string[] = [];
    // The peer is on this machine's own address, so it is named by another one of 127/8.
    const peer = createSocket("udp4");
    peer.bind(there, "127.0.0.2");
    await once(peer, "listening");
    const links = open(
      [{ ...base, port: here, peers: [{ address: "127.0.0.2", port: there }] }],
      heard,
    );
    await until(() => {
      links.send(0, Buffer.from("ping"));
      return links.sent[0] > 0;
    });
    const [bytes] = await once(peer, "message");
    expect(bytes.toString()).toBe("ping");
    peer.send("pong", here, "127.0.0.1");
    await until(() => heard.length > 0);
    expect(heard[0]).toBe("0 pong 127.0.0.2");
    peer.close();
  });

  test("an interface that is missing is counted, never thrown, and tried again", async () => {
    const port = await freePort();
    const links = open([{ interface: "nosuch0", port, group: "225.0.0.50", peers: [] }]);
    links.send(0, Buffer.from("x"));
    expect(links.errors).toEqual({ EADDRNOTAVAIL: 1, CLOSED: 1 });
    expect(links.sent).toEqual([0]);
    await until(() => links.errors.EADDRNOTAVAIL > 1);
  });

  test("a port in use elsewhere is counted, and the link opens when it is free", async () => {
    const holder = createSocket({ type: "udp4", reuseAddr: false });
    holder.bind(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address();
    const links = open([
      { interface: "lo", port, group: null, peers: [{ address: "127.0.0.2", port }] },
    ]);
    await until(() => links.errors.EADDRINUSE > 0);
    holder.close();
    await until(() => {
      links.send(0, Buffer.from("x"));
      return links.sent[0] > 0;
    });
  });

  test("closing twice, and sending after it, is harmless", async () => {
    const links = open([{ interface: "lo", port: await freePort(), group: null, peers: [] }]);
    links.close();
    links.close();
    links.send(0, Buffer.from("x"));
    expect(links.errors).toEqual({ CLOSED: 1 });
  });
});

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 250) throw new Error("waited in vain");
    await sleep(20);
  }
}

/**
 * The addon's Queue against a real NFQUEUE. Packets are UDP datagrams over the namespace's
 * loopback.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { JsonLines } from "../fixture/lines.js";
import { fixture, Namespace, rootOnly } from "../fixture/netns.js";

const NUMBER = 7;
const SEND = `
const socket = require("node:dgram").createSocket("udp4");
let left = Number(process.argv[1]);
const next = () => left-- > 0 ? socket.send("shardwall", 9, "127.0.0.1", next) : socket.close();
next();`;

rootOnly("NFQUEUE in batches", () => {
  let ns: Namespace;
  let peer: JsonLines;

  beforeEach(() => {
    ns = new Namespace();
    const rule = "-t mangle -A OUTPUT -p udp --dport 9 -j NFQUEUE --queue-num 7".split(" ");
    ns.exec("iptables", rule);
    peer = new JsonLines(ns.spawn("node", [fixture("queue-echo.mjs")]));
  });
  afterEach(() => ns.close());

  const send = (count: number) => ns.exec("node", ["-e", SEND, String(count)]);
  const marked = (mark: string) =>
    `-t mangle -A POSTROUTING -p udp --dport 9 -m mark --mark ${mark} -j ACCEPT`.split(" ");
  const hits = () => {
    const lines = ns.exec("iptables", "-t mangle -nvxL POSTROUTING".split(" ")).split("\n");
    return lines.slice(2).map((line) => Number(line.trim().split(/\s+/)[0]));
  };

  test("1. a batch comes in with one call, goes out with one, each with its mark", async () => {
    ns.exec("iptables", marked("0x10000"));
    ns.exec("iptables", marked("0x20000"));
    await peer.ask({ do: "open", number: NUMBER });
    send(10);
    const { packets, head } = await peer.ask({ do: "receive", number: NUMBER, timeout: 1000 });
    expect(packets).toHaveLength(10);
    expect(packets.map((words: number[]) => words[0])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(packets[0].slice(1, 4)).toEqual([0x0800, 0, 0]);
    expect(packets[0].slice(5)).toEqual([37, 37, 3]); // 20 + 8 + 9 bytes, LOCAL_OUT
    expect(head.slice(0, 2)).toBe("45");
    expect(Buffer.from(head, "hex").subarray(28).toString()).toBe("shardwall");

    const verdicts = [1, 1, 1, 1, 1, 1, 1, 0, 0, 0];
    const marks = verdicts.map((_, index) => (index < 4 ? 0x10000 : 0x20000));
    await peer.ask({ do: "settle", number: NUMBER, verdicts, marks });
    expect(hits().slice(0, 2)).toEqual([4, 3]);
    expect(await peer.ask({ do: "stats", number: NUMBER })).toEqual({
      overruns: 0,
      verdictErrors: 0,
      malformed: 0,
    });
  });

  test("2. the copy range cuts the packet, the full length is told", async () => {
    await peer.ask({ do: "open", number: NUMBER, copyRange: 64 });
    ns.exec("node", ["-e", SEND.replace('"shardwall", 9', "Buffer.alloc(900), 9"), "1"]);
    const { packets } = await peer.ask({ do: "receive", number: NUMBER, timeout: 1000 });
    expect(packets[0].slice(5, 7)).toEqual([64, 928]);
  });

  test("3. without a listener and after close nothing passes", async () => {
    ns.exec("iptables", marked("0"));
    send(3);
    await peer.ask({ do: "open", number: NUMBER });
    send(2);
    await peer.ask({ do: "close", number: NUMBER });
    send(4);
    expect(hits()[0]).toBe(0);
  });

  test("4. a full queue drops and the kernel counts it", async () => {
    await peer.ask({ do: "open", number: NUMBER, length: 16 });
    send(40);
    const row = ns.exec("cat", ["/proc/net/netfilter/nfnetlink_queue"]).trim().split(/\s+/);
    expect(row.slice(0, 1).concat(row.slice(2, 3), row.slice(5, 6))).toEqual(["7", "16", "24"]);
  });

  test("5. a verdict for a packet that is not there is counted, not thrown", async () => {
    await peer.ask({ do: "open", number: NUMBER });
    const ids = [4711, 4712];
    await peer.ask({ do: "settle", number: NUMBER, verdicts: [1, 1], marks: [0, 0], ids });
    await peer.ask({ do: "receive", number: NUMBER, timeout: 100 });
    expect((await peer.ask({ do: "stats", number: NUMBER })).verdictErrors).toBe(2);
  });

  test("6. a queue that is taken is refused with a name", async () => {
    await peer.ask({ do: "open", number: NUMBER });
    const second = new JsonLines(ns.spawn("node", [fixture("queue-echo.mjs")]));
    const refused = await second.ask({ do: "open", number: NUMBER });
    expect(refused.code).toMatch(/EBUSY|EPERM/);
    expect(refused.error).toContain("bind to the NFQUEUE");
  });

  test("7. the eventfd ends a wait", async () => {
    await peer.ask({ do: "open", number: NUMBER });
    await peer.ask({ do: "wake" });
    const answer = await peer.ask({ do: "receive", number: NUMBER, timeout: 60_000 });
    expect(answer.packets).toEqual([]);
  });

  test("8. arguments are checked before anything is done", async () => {
    for (const wrong of [{ number: -1 }, { number: 65536 }, { number: 7, copyRange: 1 }]) {
      const refused = await peer.ask({ do: "open", ...wrong });
      expect(refused.code).toBe("ERR_INVALID_ARG_VALUE");
    }
  });

  const queued = () =>
    Number(ns.exec("cat", ["/proc/net/netfilter/nfnetlink_queue"]).trim().split(/\s+/)[2]);

  test("9. in order, packets that fare alike get one verdict, with their mark", async () => {
    ns.exec("iptables", marked("0x10000"));
    ns.exec("iptables", marked("0x20000"));
    await peer.ask({ do: "open", number: NUMBER });
    send(12);
    await peer.ask({ do: "receive", number: NUMBER, timeout: 1000 });
    const verdicts = [1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0];
    const marks = [1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 1].map((mark) => mark * 0x10000);
    await peer.ask({ do: "settle", number: NUMBER, verdicts, marks, ordered: 1 });
    expect(hits().slice(0, 2)).toEqual([5, 3]);
    expect(queued()).toBe(0);
    expect((await peer.ask({ do: "stats", number: NUMBER })).verdictErrors).toBe(0);
  });

  test("10. in any order, a verdict is for its packet alone", async () => {
    ns.exec("iptables", marked("0x10000"));
    await peer.ask({ do: "open", number: NUMBER });
    send(6);
    await peer.ask({ do: "receive", number: NUMBER, timeout: 1000 });
    const pair = { number: NUMBER, verdicts: [1, 1], marks: [0x10000, 0x10000] };
    await peer.ask({ do: "settle", ...pair, ids: [4, 5] });
    expect([hits()[0], queued()]).toEqual([2, 4]);
    await peer.ask({ do: "settle", ...pair, ids: [3, 1] });
    expect([hits()[0], queued()]).toEqual([4, 2]);
  });

  test("11. after a pause it reads what has gathered, or waits as ever", async () => {
    await peer.ask({ do: "open", number: NUMBER });
    const ask = { do: "receive", number: NUMBER, pause: 1000 };
    expect((await peer.ask({ ...ask, timeout: 0 })).packets).toEqual([]);
    send(3);
    expect((await peer.ask({ ...ask, timeout: 0 })).packets).toHaveLength(3);
    const refused = await peer.ask({ ...ask, timeout: 0, pause: 1001 });
    expect(refused.code).toBe("ERR_INVALID_ARG_VALUE");
  });
});

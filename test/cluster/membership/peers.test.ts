/** Transcripts: what is heard, from whom, and what it counts for. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Echo, Heartbeat } from "../../../src/cluster/frame/heartbeat.js";
import { CANDIDATES_MAX, ECHOES_MAX, NODES_MAX } from "../../../src/cluster/limits.js";
import { PeerTable } from "../../../src/cluster/membership/peers.js";
import { emptyBitmap } from "../../../src/cluster/ranges/bitmap.js";

const ME = { node: 1, incarnation: 100n, challenge: 1000n, links: 0 };
const MY_ECHO: Echo = { ...ME };
let peers: PeerTable;

beforeEach(() => {
  peers = new PeerTable(2, () => emptyBitmap(64));
});

function hear(node: number, incarnation: bigint, tick: number, echoes: Echo[], now = 0, link = 0) {
  const beat: Heartbeat = {
    state: "active",
    tick,
    epoch: 1,
    viewHash: 0n,
    configDigest: 0n,
    challenge: incarnation + 7n,
    sent: 0,
    runs: [],
    echoes,
  };
  return peers.hear({ node, incarnation }, beat, ME, { link, address: "", now });
}

describe("freshness", () => {
  const notMine: [string, Echo[]][] = [
    ["no echo", []],
    ["an echo of another node", [{ ...ME, node: 2 }]],
    ["an echo of my former incarnation", [{ ...ME, incarnation: 99n }]],
    ["an echo of my former challenge", [{ ...ME, challenge: 999n }]],
  ];
  test.each(notMine)("%s: a candidate, echoed but not believed", (_name, echoes) => {
    expect(hear(2, 20n, 1, echoes)).toBe("unconfirmed");
    expect(peers.size).toBe(0);
    expect(peers.echoes(0)).toMatchObject([{ node: 2, incarnation: 20n, challenge: 27n }]);
  });

  test("my echo makes a candidate a peer, and it stays one without it", () => {
    expect(hear(2, 20n, 1, [])).toBe("unconfirmed");
    expect(hear(2, 20n, 2, [MY_ECHO])).toBe("fresh");
    expect(hear(2, 20n, 3, [])).toBe("fresh");
    expect(peers.echoes(0).length).toBe(1);
  });

  test("a beat counts once; on a second link it only shows that the link works", () => {
    expect(hear(2, 20n, 5, [MY_ECHO], 10, 0)).toBe("fresh");
    expect(hear(2, 20n, 5, [MY_ECHO], 30, 1)).toBe("repeated");
    expect(hear(2, 20n, 4, [MY_ECHO], 40, 1)).toBe("stale");
    expect(peers.all()[0]).toMatchObject({
      heardMs: 10,
      links: [
        { heardMs: 10, received: 1 },
        { heardMs: 30, received: 1 },
      ],
    });
  });

  test("a second incarnation waits until the first is gone", () => {
    hear(2, 20n, 1, [MY_ECHO]);
    expect(hear(2, 21n, 1, [MY_ECHO])).toBe("unconfirmed");
    expect(peers.all()[0].incarnation).toBe(20n);
    peers.remove(peers.all()[0]);
    expect(hear(2, 21n, 2, [MY_ECHO])).toBe("fresh");
  });

  test("silence is judged by what is new, to the millisecond", () => {
    hear(2, 20n, 1, [MY_ECHO], 100);
    hear(3, 30n, 1, [MY_ECHO], 101);
    expect(peers.silentSince(99)).toEqual([]);
    expect(peers.silentSince(100).map((peer) => peer.node)).toEqual([2]);
  });
});

describe("bounds", () => {
  test("candidates: the one heard longest ago makes room", () => {
    for (let node = 2; node < 2 + CANDIDATES_MAX + 3; node++) hear(node, 1n, 1, []);
    expect(peers.echoes(0).length).toBe(CANDIDATES_MAX);
    expect(peers.echoes(0)[0].node).toBe(5);
  });

  test("candidates not heard any more are forgotten", () => {
    hear(2, 20n, 1, [], 10);
    hear(3, 30n, 1, [], 20);
    peers.forgetCandidates(10);
    expect(peers.echoes(0).map((echo) => echo.node)).toEqual([3]);
  });

  test("one node more than a cluster may have", () => {
    for (let node = 2; node <= NODES_MAX; node++) {
      expect(hear(node, 1n, 1, [MY_ECHO])).toBe("fresh");
    }
    expect(hear(NODES_MAX + 1, 1n, 1, [MY_ECHO])).toBe("tooManyNodes");
    expect(peers.echoes(0).length).toBeLessThanOrEqual(ECHOES_MAX);
  });
});

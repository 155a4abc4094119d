/** What arrives on the sync link and does not belong there: a counter for each way, no effect. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StatusReport } from "../../src/api/report.js";
import { Lab } from "../../src/demo/lab.js";
import { SYNC, syncAddress } from "../../src/demo/topology.js";
import { atRest, sleep, startNodes, TIMING, takenOver } from "../fixture/cluster.js";
import { JsonLines } from "../fixture/lines.js";
import { fixture, rootOnly } from "../fixture/netns.js";

const MEMBERS = [1, 2];
/** Has a place on the link and no secret. */
const STRANGER = 3;
const FORGED = 20;

rootOnly("a stranger on the sync link", () => {
  let lab: Lab;
  let stranger: JsonLines;

  beforeAll(async () => {
    lab = Lab.open(3);
    startNodes(lab, MEMBERS);
    await atRest(lab, MEMBERS);
    const address = syncAddress(STRANGER).split("/")[0] as string;
    const argv = [fixture("attacker.mjs"), address, SYNC.group, String(SYNC.port)];
    stranger = new JsonLines(lab.spawn(`node${STRANGER}`, [process.execPath, ...argv]));
  });
  afterAll(() => lab?.close());

  /** What a healthy node keeps whatever strangers send. */
  const standing = ({ incarnation, epoch, range, view }: StatusReport) => {
    return { incarnation, epoch, range, view };
  };
  const refused = async (id: number, name: string) =>
    (await lab.status(id)).transport[name] as number;
  const settled = () => sleep(400); // snapshots are taken every 100 ms

  test("replayed datagrams are counted, and change nothing", async () => {
    const before = standing(await lab.status(1));
    expect((await stranger.ask({ do: "record", ms: 600 })).count).toBeGreaterThan(10);
    const counts = await Promise.all(MEMBERS.map((id) => refused(id, "replayed")));
    const { count } = await stranger.ask({ do: "replay" });
    await settled();
    for (const id of MEMBERS) {
      const status = await lab.status(id);
      const news = (status.transport.replayed as number) - (counts[id - 1] as number);
      // A node's own datagrams come back to it, too, and have a counter of their own.
      expect(news).toBeGreaterThan(0);
      expect(news + (status.transport.ownEcho as number)).toBe(count);
    }
    expect(standing(await lab.status(1))).toEqual(before);
  });

  test.each([
    ["empty", "tooShort"],
    ["cutToHeader", "tooShort"],
    ["tooLong", "tooLong"],
    ["noise", "badMagic"],
    ["otherVersion", "badVersion"],
    ["otherCluster", "otherCluster"],
    ["nobody", "badSender"],
    ["otherLink", "badLink"],
  ])("%s datagrams are refused as %s", async (how, counter) => {
    const before = standing(await lab.status(1));
    const counts = await Promise.all(MEMBERS.map((id) => refused(id, counter)));
    await stranger.ask({ do: "forge", how, count: FORGED });
    await settled();
    for (const id of MEMBERS) {
      expect((await refused(id, counter)) - (counts[id - 1] as number)).toBe(FORGED);
    }
    expect(standing(await lab.status(1))).toEqual(before);
  });

  test.each(["cut", "damaged"])("%s datagrams fail their authentication", async (how) => {
    const counts = await Promise.all(MEMBERS.map((id) => refused(id, "badAuth")));
    await stranger.ask({ do: "forge", how, count: FORGED });
    await settled();
    const news = await Promise.all(
      MEMBERS.map(async (id, at) => (await refused(id, "badAuth")) - (counts[at] as number)),
    );
    // They bear one member's name: that one takes them for its own echo.
    expect(news.sort((a, b) => a - b)).toEqual([0, FORGED]);
  });

  test("a flood of forged incarnations buys a bounded number of keys", async () => {
    const before = standing(await lab.status(1));
    const counts = await Promise.all(MEMBERS.map((id) => refused(id, "rateLimited")));
    await stranger.ask({ do: "forge", how: "newIncarnation", count: 1000 });
    await settled();
    for (const id of MEMBERS) {
      expect(await refused(id, "rateLimited")).toBeGreaterThan(counts[id - 1] as number);
    }
    expect(standing(await lab.status(1))).toEqual(before);
  });

  test("the recorded words of a dead node do not bring it back to life", async () => {
    await stranger.ask({ do: "record", ms: 600 });
    const node = lab.node(2);
    node.kill("SIGKILL");
    await node.ended;
    await takenOver(lab, [1]);
    const { epoch } = await lab.status(1);
    for (let round = 0; round < 5; round++) {
      await stranger.ask({ do: "replay" });
      await sleep(TIMING.failureMs / 4);
      expect(await lab.status(1)).toMatchObject({ view: [1], epoch, ownedBuckets: 256 });
    }
  });

  test("nothing crashed: the cluster comes together again", async () => {
    startNodes(lab, [2]);
    await atRest(lab, MEMBERS);
    expect(lab.node(1).running).toBe(true);
    const crash = lab.node(1).log.filter((line) => JSON.parse(line).level >= 50);
    expect(crash).toEqual([]);
  });
});

/** The guards of the addon's BPF classes: what they refuse, and memory that must not be hit. */
import { expect, test } from "vitest";
import { native } from "../../src/platform/native.js";
import { rootOnly } from "../fixture/netns.js";

const { BpfMap, BpfMapView, BpfProgram, BpfLink } = native;
const ARRAY = 2;
const PERCPU_ARRAY = 6;
const KEY = new Uint8Array(4);
/** r0 = 0; exit */
const NOTHING = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
const SILENT = new Uint8Array(0);

type Any = (...all: never[]) => unknown;

test("constructors refuse arguments out of their bounds", () => {
  const wrong: (() => unknown)[] = [
    () => new BpfMap(-1, 4, 4, 1, "x"),
    () => new BpfMap(ARRAY, 0, 4, 1, "x"),
    () => new BpfMap(ARRAY, 4, 2 ** 21, 1, "x"),
    () => new BpfMap(ARRAY, 4, 4, 0, "x"),
    () => new BpfMap(ARRAY, 4, 4, 1, "sixteen letters_"),
    () => new BpfMapView(-1),
    () => new BpfMapView("1" as never),
    () => new BpfProgram(3, new Uint8Array(7), "x", SILENT),
    () => new BpfProgram(3, NOTHING, "sixteen letters_", SILENT),
    () => new BpfProgram(3, NOTHING, "x", null as never),
    () => new BpfLink(-1, 1, 46),
    () => new BpfLink(1, 0, 46),
    () => (BpfMap as unknown as Any)(),
  ];
  for (const each of wrong) expect(each, String(each)).toThrow(TypeError);
});

rootOnly("BPF objects", () => {
  test("a view of what is no map is refused", () => {
    expect(() => new BpfMapView(0)).toThrow(/BPF_OBJ_GET_INFO_BY_FD|EINVAL/);
    expect(() => new BpfMapView(2 ** 20)).toThrow(/EBADF/);
  });

  test("a look-up writes no more than its array holds, also for each processor", () => {
    for (const [type, enough] of [
      [ARRAY, 12],
      [PERCPU_ARRAY, 1 << 16],
    ] as const) {
      const map = new BpfMap(type, 4, 12, 1, "guard");
      const view = new BpfMapView(map.fd);
      for (const each of [map, view]) {
        expect(() => each.lookup(KEY, new Uint8Array(11))).toThrow(TypeError);
        expect(() => each.lookup(new Uint8Array(3), new Uint8Array(enough))).toThrow(TypeError);
        each.lookup(KEY, new Uint8Array(enough));
        expect(() => each.update(KEY, new Uint8Array(11))).toThrow(TypeError);
      }
      if (type === PERCPU_ARRAY) {
        // Room for the value, but not for the padding of one processor's.
        expect(() => view.lookup(KEY, new Uint8Array(12))).toThrow(TypeError);
      }
      view.close();
      map.close();
      expect(() => map.lookup(KEY, new Uint8Array(enough))).toThrow(/EBADF/);
    }
  });

  test("a program runs on frames only, and its methods on no other object", () => {
    const program = new BpfProgram(3, NOTHING, "guard", SILENT);
    const result = new Int32Array(3);
    expect(() => program.run(new Uint8Array(13), 1, result)).toThrow(TypeError);
    expect(() => program.run(new Uint8Array(64), 0, result)).toThrow(TypeError);
    expect(() => program.run(new Uint8Array(64), 1, new Int32Array(2))).toThrow(TypeError);
    const map = new BpfMap(ARRAY, 4, 4, 1, "guard");
    expect(() => (map.close as Any).call(program as never)).toThrow(TypeError);
    expect(() => (program.run as Any).call(map as never)).toThrow(TypeError);
    program.run(new Uint8Array(64), 1, result);
    expect(result[0]).toBe(0);
    program.close();
    map.close();
    expect(() => new BpfLink(program.fd, 1, 46)).toThrow(TypeError);
  });
});

/** Netlink and nf_tables requests, literally. */
import { describe, expect, test } from "vitest";
import { acknowledgements, NetlinkWriter } from "../../src/kernel/netlink.js";
import { batch, FAMILY, replaceMarks } from "../../src/kernel/nftables.js";

const hex = (writer: NetlinkWriter) => writer.bytes.subarray(0, writer.length).toString("hex");

test("a message, an attribute of each kind, padded to four bytes", () => {
  const writer = new NetlinkWriter(256);
  writer.begin(0x0a06, 4, Uint8Array.of(2, 0, 0, 0));
  writer.string(1, "abcd");
  writer.nest(2, () => writer.u32(3, 0xfffffffe));
  writer.u64(4, 150);
  expect(hex(writer)).toBe(
    `38000000060a05000100000000000000${"02000000"}` +
      `09000100${"6162636400000000"}` +
      `0c000280${"08000300fffffffe"}` +
      `0c000400${"0000000000000096"}`,
  );
});

test("a buffer that is too small is a bug and says so", () => {
  const writer = new NetlinkWriter(24);
  writer.begin(1, 0, Uint8Array.of(0, 0, 0, 0));
  expect(() => writer.data(1, new Uint8Array(16))).toThrow(RangeError);
});

describe("the lease", () => {
  test("without ranges it only empties the set", () => {
    const writer = new NetlinkWriter(512);
    batch(writer, () => replaceMarks(writer, FAMILY.IPV4, "t", "s", [], 0));
    expect(writer.bytes.readUInt16LE(4)).toBe(0x10);
    expect(writer.bytes.readUInt16LE(20 + 4)).toBe(0x0a0e); // DELSETELEM
    expect(writer.length).toBe(20 + 20 + 8 + 8 + 20);
  });

  test("a range is two elements, the end exclusive and without a time-out", () => {
    const writer = new NetlinkWriter(512);
    batch(writer, () => replaceMarks(writer, FAMILY.IPV6, "t", "s", [[0x10000, 0x20000]], 150));
    expect(hex(writer)).toContain(
      `1c000180${"0c000180"}${"08000100"}00010000${"0c000400"}0000000000000096` +
        `18000180${"0c000180"}${"08000100"}00020001${"08000300"}00000001`,
    );
  });
});

describe("acknowledgements", () => {
  const ack = (errno: number, sequence: number) => {
    const bytes = Buffer.alloc(36);
    bytes.writeUInt32LE(36, 0);
    bytes.writeUInt16LE(2, 4);
    bytes.writeUInt32LE(sequence, 8);
    bytes.writeInt32LE(-errno, 16);
    return bytes;
  };

  test("are read one by one", () => {
    const bytes = Buffer.concat([ack(0, 3), ack(2, 4)]);
    expect(acknowledgements(bytes, bytes.length)).toEqual([
      { errno: 0, sequence: 3 },
      { errno: 2, sequence: 4 },
    ]);
  });

  test("each truncation gives fewer of them and never a fault", () => {
    const bytes = Buffer.concat([ack(0, 3), ack(2, 4)]);
    for (let length = 0; length < bytes.length; length++) {
      expect(acknowledgements(bytes, length).length).toBeLessThanOrEqual(2);
    }
    bytes.writeUInt32LE(3, 0);
    expect(acknowledgements(bytes, bytes.length)).toEqual([]);
  });

  // Found by fuzzing: rounded up as 32 bits they led back to where they stood, or before the start.
  test.each([37, 0x7fffffff, 0x80000000, 0xfffffffd, 0xffffffff])("a size of %i ends", (size) => {
    const bytes = Buffer.concat([ack(0, 3), ack(2, 4)]);
    bytes.writeUInt32LE(size, 36);
    expect(acknowledgements(bytes, bytes.length)).toEqual([{ errno: 0, sequence: 3 }]);
  });
});

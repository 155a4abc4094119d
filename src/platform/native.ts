/**
 * The only importer of the addon. Each class stands for one kernel object and belongs to the thread
 * that made it; its socket is closed with the object, at the latest when the thread ends.
 */
import { createRequire } from "node:module";

/** An eventfd(2): wakes a thread that blocks in {@link Queue.receive}. */
export interface EventFd {
  readonly fd: number;
  signal(): void;
  clear(): void;
  close(): void;
}

/** A packet(7) membership: the interface receives frames sent to `mac` until this is closed. */
export interface LinkGroup {
  /** Sends one Ethernet frame, header included, out of the interface. Throws an errno error. */
  send(frame: Uint8Array): void;
  close(): void;
}

/** Tells when a descriptor has become readable, while the thread goes on with its event loop. */
export interface Watch {
  /** From now on `onReadable` is called once, when there is something to read; perhaps at once. */
  arm(): void;
  /** The descriptor must stay open until then. */
  close(): void;
}

/** A netlink(7) socket that talks to the kernel only. */
export interface Netlink {
  readonly fd: number;
  /** Sends `length` bytes as one datagram. Throws an errno error. */
  send(bytes: Uint8Array, length: number): void;
  /**
   * Length of the datagram that was read into `bytes`, 0 when none came in time. Throws an errno
   * error.
   */
  receive(bytes: Uint8Array, timeoutMs: number): number;
  /**
   * Number of datagrams that were read, one into each slot of `bytes`; 0 on wake-up or time-out.
   * `lengths` tells the bytes in each; 0 where the datagram was longer than its slot. Throws an
   * errno error: ENOBUFS once after the kernel had to leave messages out.
   */
  receiveMany(
    bytes: Uint8Array,
    lengths: Int32Array,
    slotBytes: number,
    wakeFd: number,
    timeoutMs: number,
  ): number;
  /** Takes part in a multicast group of the kernel. Throws an errno error. */
  join(group: number): void;
  /** No longer does; what has arrived stays to be read. Throws an errno error. */
  leave(group: number): void;
  /** Asks for a receive buffer; returns the bytes granted, the kernel's overhead included. */
  resize(receiveBufferBytes: number): number;
  close(): void;
}

/** One NFQUEUE. See native/queue_wire.h for the words of a descriptor ({@link DESCRIPTOR}). */
export interface Queue {
  /**
   * Waits for packets and reads at most as many as fit; before that it lets packets gather for
   * `pauseUs` (0 to 1000). Returns their number, 0 on wake-up or time-out. Throws an errno error.
   */
  receive(
    bytes: Uint8Array,
    descriptors: Int32Array,
    slotBytes: number,
    wakeFd: number,
    timeoutMs: number,
    pauseUs: number,
  ): number;
  /**
   * Sends `count` verdicts (0 drop, 1 accept) with a packet mark each. `ordered`: these are all
   * packets received and not settled yet, in their order, which is cheaper for packets that fare
   * alike. Throws an errno error.
   */
  settle(
    descriptors: Int32Array,
    verdicts: Int32Array,
    marks: Int32Array,
    count: number,
    ordered: 0 | 1,
  ): void;
  /** Times that the socket buffer overflowed (packets were dropped by the kernel). */
  readonly overruns: number;
  /** Verdicts that the kernel refused, such as for a packet that it had flushed meanwhile. */
  readonly verdictErrors: number;
  /** Kernel messages that did not hold a packet id. */
  readonly malformed: number;
  close(): void;
}

/** An array or hash table in the kernel that programs and processes share (bpf(2)). */
export interface BpfMap {
  readonly fd: number;
  /** Throws an errno error. */
  update(key: Uint8Array, value: Uint8Array): void;
  /**
   * Reads a value into `values`. A map with a value per processor writes one for each processor the
   * machine may ever have, padded to eight bytes. Throws an errno error.
   */
  lookup(key: Uint8Array, values: Uint8Array): void;
  close(): void;
}

/** A program that the kernel's verifier has accepted. */
export interface BpfProgram {
  readonly fd: number;
  /**
   * Runs it `repeat` times on an Ethernet frame that goes nowhere. `result` receives what it
   * returned, nanoseconds per run, and the packet's mark behind it. Throws an errno error.
   */
  run(frame: Uint8Array, repeat: number, result: Int32Array): void;
  close(): void;
}

/** A program in its place; it leaves it when this is closed, at the latest with the process. */
export interface BpfLink {
  close(): void;
}

interface Addon {
  now(): number;
  nameThread(name: string): void;
  niceThread(value: number): void;
  realtimeThread(priority: number): void;
  /** The calling thread's timers are not put off (prctl(2), PR_SET_TIMERSLACK). */
  exactTimers(): void;
  /**
   * Asks for huge pages for memory that nobody has touched yet, a hint to the kernel.
   * @param bytes at least 2 MiB
   * @returns offset of the first byte on a border of huge pages, below 2 MiB
   */
  alignTable(bytes: Uint8Array): number;
  /** User id at the other end of a unix socket. Throws an errno error. */
  peerUser(fd: number): number;
  /** `name`: 15 letters, digits and `_`, for people. */
  BpfMap: new (
    type: number,
    keyBytes: number,
    valueBytes: number,
    entries: number,
    name: string,
  ) => BpfMap;
  /** The map that another thread of this process has under `fd`. */
  BpfMapView: new (
    fd: number,
  ) => Pick<BpfMap, "update" | "lookup" | "close">;
  /** `log` receives what the verifier says; empty: nothing is said. */
  BpfProgram: new (
    type: number,
    instructions: Uint8Array,
    name: string,
    log: Uint8Array,
  ) => BpfProgram;
  BpfLink: new (programFd: number, ifindex: number, attachType: number) => BpfLink;
  EventFd: new () => EventFd;
  LinkGroup: new (ifindex: number, mac: Uint8Array) => LinkGroup;
  Netlink: new (protocol: number, receiveBufferBytes: number) => Netlink;
  Watch: new (fd: number, onReadable: () => void) => Watch;
  Queue: new (
    number: number,
    copyRangeBytes: number,
    lengthPackets: number,
    socketBufferBytes: number,
    gso: 0 | 1,
  ) => Queue;
}

/** Words of a packet's descriptor; `STRIDE` words a packet. */
export const enum DESCRIPTOR {
  ID = 0,
  ETHERTYPE = 1,
  MARK = 2,
  IFINDEX = 3,
  OFFSET = 4,
  CAPTURED = 5,
  LENGTH = 6,
  HOOK = 7,
  STRIDE = 8,
}

/** Most packets that one call of {@link Queue.receive} returns. */
export const BATCH_MAX = 256;

/** Room in a slot for the netlink headers and attributes before the packet, bytes. */
export const SLOT_HEADROOM = 256;

export const native: Addon = createRequire(import.meta.url)("../../native/build/shardwall.node");

/** A connection between a client and a server, as the cluster sees it pass. */
import { type Ends, type Flow, inverse } from "../../src/cluster/flows/record.js";
import { keyOf } from "../../src/cluster/flows/record-wire.js";
import { PortSlices } from "../../src/state/port-slices.js";

const TCP = 6;
const UDP = 17;
const SERVER = Uint8Array.from([192, 0, 2, 1]);
/** Where translated flows seem to come from. */
const GATEWAY = Uint8Array.from([198, 51, 100, 1]);

export interface Packet {
  readonly connection: Connection;
  /** `open` may begin a flow; the others only make sense in one, but for UDP. */
  readonly kind: "open" | "answer" | "data" | "close";
  readonly isReply: boolean;
  /** Where a translated reply goes to. */
  readonly port: number;
  /** Called each time that a node lets it through after it has waited there. */
  readonly onThrough: () => void;
}

export type Phase = "opening" | "open" | "closed";

export class Connection {
  readonly key: string;
  readonly original: Ends;
  phase: Phase = "opening";
  /** When the client knew that it is open; infinite before. */
  openedMs = Number.POSITIVE_INFINITY;
  /** When it was last seen in no kernel at all: after a long silence a packet opens it anew. */
  nowhereMs = Number.NEGATIVE_INFINITY;
  closedMs = Number.POSITIVE_INFINITY;
  /** When a kernel last forgot it, since it was silent. */
  timedOutMs = Number.NEGATIVE_INFINITY;
  /** Port that the server sees; 0 while nothing was let through. */
  port = 0;
  /** Whether two nodes have let it in, each with a port of its own. */
  isTwofold = false;
  /** Whether it has to survive from now on: it was everywhere when all was well. */
  isGuarded = false;

  constructor(
    readonly index: number,
    readonly bucket: number,
    readonly isUdp: boolean,
    readonly isTranslated: boolean,
  ) {
    this.original = {
      src: Uint8Array.from([10, (index >>> 16) & 255, (index >>> 8) & 255, index & 255]),
      dst: SERVER,
      srcPort: 1024 + (index % 60_000),
      dstPort: 443,
    };
    this.key = keyOf(this.record(0));
  }

  get name(): string {
    return `#${this.index}${this.isUdp ? " udp" : " tcp"}${this.isTranslated ? " nat" : ""}`;
  }

  /** What the kernel that lets the first packet in has of it. */
  record(port: number): Flow {
    const { original, bucket, isUdp } = this;
    const back = inverse(original);
    return {
      kind: "flow",
      protocol: isUdp ? UDP : TCP,
      ...{ bucket, zone: 0, timeoutClass: 0, helper: "", original },
      reply: this.isTranslated ? { ...back, dst: GATEWAY, dstPort: port } : back,
      state: isUdp ? "none" : "opening",
      status: 0,
      ...{ mark: 0, master: null, shifts: null, vtags: null },
    };
  }
}

/** How translated ports are chosen, and what they tell. */
export interface Translation {
  /** A port of the bucket's slice for which `isFree`; 0: there is none. */
  choose(bucket: number, draw: () => number, isFree: (port: number) => boolean): number;
  bucketOf(port: number): number;
}

const PORTS = [1024, 65_535] as const;
const TRIES = 64;

/** The program's own slices; the kernel picks a free port of the one it is told to take. */
export function slicedPorts(buckets: number): Translation {
  const slices = new PortSlices(PORTS, buckets);
  return {
    choose(bucket, draw, isFree) {
      const [first] = slices.of(bucket);
      for (let tries = 0; tries < TRIES; tries++) {
        const port = first + Math.floor(draw() * slices.width);
        if (isFree(port)) return port;
      }
      return 0;
    },
    bucketOf: (port) => slices.bucketOf(port),
  };
}

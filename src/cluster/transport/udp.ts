/**
 * The sockets of the links: the only place of cluster/ that touches the network.
 *
 * A link may be absent at any time: its interface not there yet, its address gone, its cable out.
 * So nothing here throws. An error is counted by its errno name; where it says that the socket is
 * of no more use, the socket is closed and opened again every `REOPEN_MS` until that succeeds.
 *
 * Node cannot bind a socket to a device, and the kernel gives a multicast datagram to every socket
 * of its group and port. So where links share both, the source address tells whose it is.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { BlockList, isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { REOPEN_MS } from "../limits.js";

export interface LinkSettings {
  readonly interface: string;
  readonly port: number;
  /** Multicast group; null where `peers` are given. */
  readonly group: string | null;
  /** Unicast addresses of the peers, this node may be among them. */
  readonly peers: readonly { readonly address: string; readonly port: number }[];
}

/** @param address where the datagram came from */
export type OnDatagram = (link: number, bytes: Uint8Array, address: string) => void;

/** The link stays as it is; only this datagram is lost. */
const TRANSIENT = new Set(["EAGAIN", "ENOBUFS", "EPERM", "ECONNREFUSED", "EMSGSIZE", "EHOSTDOWN"]);

export class UdpLinks {
  /** Datagrams handed to the kernel, per link. */
  readonly sent: number[];
  /** Failures by errno name; `CLOSED` counts datagrams for a link that is not open. */
  readonly errors: Record<string, number> = {};
  private readonly links: Link[];

  constructor(settings: readonly LinkSettings[], onDatagram: OnDatagram) {
    this.sent = settings.map(() => 0);
    const count = (name: string) => {
      this.errors[name] = (this.errors[name] ?? 0) + 1;
    };
    this.links = settings.map((own, index) => {
      const twins = settings.filter(
        (other) => other.group === own.group && other.port === own.port,
      );
      const isShared = own.group !== null && twins.length > 1;
      return new Link(own, isShared, count, (bytes, address) => onDatagram(index, bytes, address));
    });
    for (const link of this.links) link.open();
  }

  send(link: number, bytes: Uint8Array): void {
    this.sent[link] += this.links[link].send(bytes);
  }

  close(): void {
    for (const link of this.links) link.close();
  }
}

class Link {
  private socket: Socket | null = null;
  private isReady = false;
  private retry: NodeJS.Timeout | null = null;
  private local: NetworkInterfaceInfo | null = null;
  private readonly isV6: boolean;

  constructor(
    private readonly settings: LinkSettings,
    private readonly isShared: boolean,
    private readonly count: (name: string) => void,
    private readonly onDatagram: (bytes: Uint8Array, address: string) => void,
  ) {
    this.isV6 = isIPv6(settings.group ?? settings.peers[0]?.address ?? "");
  }

  open(): void {
    this.retry = null;
    this.local = this.localAddress();
    if (!this.local) {
      this.fail("EADDRNOTAVAIL");
      return;
    }
    const socket = createSocket({ type: this.isV6 ? "udp6" : "udp4", reuseAddr: true });
    this.socket = socket;
    socket.on("error", (error) => this.onError(socket, error));
    socket.on("message", (bytes, from) => this.onMessage(bytes, from));
    socket.bind({ address: this.bindAddress(this.local), port: this.settings.port }, () => {
      if (this.socket === socket) this.onBound(socket);
    });
  }

  /** Sends to the group or to each peer. Returns how many datagrams went out. */
  send(bytes: Uint8Array): number {
    const { socket } = this;
    if (!socket || !this.isReady) {
      this.count("CLOSED");
      return 0;
    }
    const targets = this.targets();
    for (const { address, port } of targets) {
      socket.send(bytes, port, address, (error) => {
        if (error) this.onError(socket, error);
      });
    }
    return targets.length;
  }

  close(): void {
    if (this.retry) clearTimeout(this.retry);
    this.drop();
  }

  private onBound(socket: Socket): void {
    try {
      if (this.settings.group !== null) this.joinGroup(socket, this.settings.group);
      this.isReady = true;
    } catch (error) {
      this.onError(socket, error as Error);
    }
  }

  private joinGroup(socket: Socket, group: string): void {
    const via = this.isV6 ? `::%${this.settings.interface}` : (this.local?.address as string);
    socket.setMulticastInterface(via);
    socket.addMembership(group, via);
    socket.setMulticastLoopback(false);
    socket.setMulticastTTL(1);
  }

  private onMessage(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.isShared && !this.isOnLink(from)) return;
    this.onDatagram(bytes, from.address);
  }

  private onError(socket: Socket, error: Error): void {
    if (socket !== this.socket) return; // late news of a socket that is gone
    const name = (error as NodeJS.ErrnoException).code ?? "UNKNOWN";
    if (TRANSIENT.has(name)) this.count(name);
    else this.fail(name);
  }

  private fail(name: string): void {
    this.count(name);
    this.drop();
    this.retry ??= setTimeout(() => this.open(), REOPEN_MS);
  }

  private drop(): void {
    this.isReady = false;
    this.socket?.close();
    this.socket = null;
  }

  private targets(): readonly { address: string; port: number }[] {
    const { group, port, peers } = this.settings;
    if (group !== null) return [{ address: this.scoped(group), port }];
    const own = this.local?.address;
    return peers
      .filter((peer) => peer.address !== own)
      .map((peer) => ({ address: this.scoped(peer.address), port: peer.port }));
  }

  private bindAddress(local: NetworkInterfaceInfo): string {
    return this.scoped(this.settings.group ?? local.address);
  }

  /** Link-local IPv6 addresses, ff02::/16 among them, mean nothing without their interface. */
  private scoped(address: string): string {
    return /^(fe80:|ff02:)/i.test(address) ? `${address}%${this.settings.interface}` : address;
  }

  private localAddress(): NetworkInterfaceInfo | null {
    const family = this.isV6 ? "IPv6" : "IPv4";
    const all = networkInterfaces()[this.settings.interface] ?? [];
    return all.find((address) => address.family === family) ?? null;
  }

  private isOnLink(from: RemoteInfo): boolean {
    if (this.isV6 && from.address.includes("%")) {
      return from.address.endsWith(`%${this.settings.interface}`);
    }
    if (!this.local?.cidr) return false;
    const [net, prefix] = this.local.cidr.split("/");
    const subnet = new BlockList();
    const family = this.isV6 ? "ipv6" : "ipv4";
    subnet.addSubnet(net, Number(prefix), family);
    return subnet.check(from.address, family);
  }
}

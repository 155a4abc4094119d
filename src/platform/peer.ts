/** Who is at the other end of a unix socket. */
import type { Socket } from "node:net";
import { native } from "./native.js";

/** The descriptor of a socket, which Node shows on its handle only. */
interface Handle {
  readonly _handle?: { readonly fd?: number } | null;
}

/** The user id that connected; null where the connection is gone by now. */
export function peerUser(socket: Socket): number | null {
  const fd = (socket as unknown as Handle)._handle?.fd ?? -1;
  if (fd < 0) return null;
  try {
    return native.peerUser(fd);
  } catch {
    return null;
  }
}

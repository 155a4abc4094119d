/** Protocols with a dissector of their own (IANA, Assigned Internet Protocol Numbers). */
export const enum Protocol {
  ICMP = 1,
  TCP = 6,
  UDP = 17,
  DCCP = 33,
  GRE = 47,
  ESP = 50,
  AH = 51,
  ICMPV6 = 58,
  SCTP = 132,
  UDP_LITE = 136,
}

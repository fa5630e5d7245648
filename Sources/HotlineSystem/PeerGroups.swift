import Glibc

extension PeerCredentials {
  /// SO_PEERGROUPS of unix(7), which Swift's Glibc module lacks; the same on every machine that
  /// Swift runs on.
  private static let peerGroups: Int32 = 59

  /// The supplementary groups of a connected socket's peer, as they were when it connected; empty
  /// where the kernel does not tell. The peer's own group is ``gid``, and may be missing here.
  ///
  /// Any thread. One system call, two where there are more than 64 groups.
  package static func groups(ofPeerAt descriptor: Int32) -> [UInt32] {
    var groups = [UInt32](repeating: 0, count: 64)
    for _ in 0..<2 {
      var length = socklen_t(groups.count * MemoryLayout<UInt32>.size)
      if getsockopt(descriptor, SOL_SOCKET, peerGroups, &groups, &length) == 0 {
        return Array(groups.prefix(Int(length) / MemoryLayout<UInt32>.size))
      }
      // The length that would do is told; there are at most 65536 groups (credentials(7)).
      let needed = Int(length) / MemoryLayout<UInt32>.size
      guard errno == ERANGE, needed > groups.count, needed <= 65_536 else { return [] }
      groups = [UInt32](repeating: 0, count: needed)
    }
    return []
  }
}

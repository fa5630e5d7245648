import COpenSSL

/// Whose tickets are whose: a ticket stands for a verified certificate, so it is never offered
/// under another name.
struct TLSPeer: Hashable, Sendable {
  let name: String
  let port: UInt16
}

/// One reference to an `SSL_SESSION`, given back when the last copy is gone.
///
/// OpenSSL counts references atomically and locks what changes in a session.
final class TLSSession: @unchecked Sendable {
  let pointer: OpaquePointer

  /// Takes over one reference.
  init(adopting pointer: OpaquePointer) {
    self.pointer = pointer
  }

  deinit {
    SSL_SESSION_free(pointer)
  }

  var isResumable: Bool { SSL_SESSION_is_resumable(pointer) == 1 }

  /// RFC 8446, appendix C.4: clients should not use a ticket twice, or observers can link the
  /// connections. TLS 1.2 servers seldom renew a ticket, so there it is used again.
  var isSingleUse: Bool { SSL_SESSION_get_protocol_version(pointer) >= TLS1_3_VERSION }
}

/// The tickets of one context, newest last, over all peers.
struct TLSSessionCache: Sendable {
  private var entries: [(peer: TLSPeer, session: TLSSession)] = []
  private let sessionsMax: Int

  init(sessionsMax: Int) {
    self.sessionsMax = sessionsMax
  }

  var count: Int { entries.count }

  /// Keeps a session; over the limit the oldest is forgotten, whosever it is.
  mutating func keep(_ session: TLSSession, for peer: TLSPeer) {
    guard sessionsMax > 0 else { return }
    if entries.count >= sessionsMax { entries.removeFirst(entries.count - sessionsMax + 1) }
    entries.append((peer, session))
  }

  /// The peer's newest session that can be resumed, and forgets it and any newer one that cannot.
  mutating func take(for peer: TLSPeer) -> TLSSession? {
    while let index = entries.lastIndex(where: { $0.peer == peer }) {
      let session = entries.remove(at: index).session
      if session.isResumable { return session }
    }
    return nil
  }
}

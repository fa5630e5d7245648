import COpenSSL
import Synchronization

/// What all TLS connections to one upstream have in common: whom to trust, and the tickets.
///
/// Verification is always on. The security level and the cipher list are the system's, TLS 1.2 is
/// the least whatever the system says, renegotiation is refused, early data is never sent.
///
/// Any thread. Making one with the system's trust store takes about 15 ms: not on a loop.
package final class TLSContext: Sendable {
  /// Whose signature makes a server's certificate good.
  package enum Trust: Hashable, Sendable {
    /// The system's store; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured.
    case system
    /// The certificates in this PEM file, and no others.
    case caFile(String)
  }

  /// `SSL_CTX`: counted atomically and not changed after `init`, so any thread may use it.
  private struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  private let handle: Handle
  private let sessions: Mutex<TLSSessionCache>

  var pointer: OpaquePointer { handle.pointer }

  /// - Parameter sessionsMax: tickets kept, over all peers; a server sends two for a handshake.
  /// - Throws: `TLSError` of kind `configuration` where the CA file or the store cannot be read.
  package init(trust: Trust, sessionsMax: Int = 64) throws(TLSError) {
    ERR_clear_error()
    guard let pointer = SSL_CTX_new(TLS_client_method()) else {
      throw Self.configuration("OpenSSL could not make a TLS context")
    }
    handle = Handle(pointer: pointer)
    sessions = Mutex(TLSSessionCache(sessionsMax: sessionsMax))
    // From here on `deinit` frees the context, also when this throws.
    try setProtocol()
    try load(trust)
    COpenSSL_SSL_CTX_set_session_cache_mode(
      pointer, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    SSL_CTX_sess_set_new_cb(pointer) { ssl, session in
      guard let ssl, let session else { return 0 }
      return TLSEngine.ticketArrived(ssl: ssl, session: session)
    }
  }

  deinit {
    SSL_CTX_free(handle.pointer)
  }

  /// Tickets kept now; for tests and status.
  package var sessionCount: Int { sessions.withLock { $0.count } }

  func keep(_ session: TLSSession, for peer: TLSPeer) {
    sessions.withLock { $0.keep(session, for: peer) }
  }

  func takeSession(for peer: TLSPeer) -> TLSSession? {
    sessions.withLock { $0.take(for: peer) }
  }

  private func setProtocol() throws(TLSError) {
    // 0 stands for "whatever the library has"; a stricter minimum in the system's own
    // configuration stays.
    let least = COpenSSL_SSL_CTX_get_min_proto_version(pointer)
    if least < TLS1_2_VERSION {
      guard COpenSSL_SSL_CTX_set_min_proto_version(pointer, TLS1_2_VERSION) == 1 else {
        throw Self.configuration("OpenSSL could not be limited to TLS 1.2 and later")
      }
    }
    // RFC 7301, 3.1: each name with its length before it.
    let protocols: [UInt8] = [UInt8(Self.alpn.utf8.count)] + Array(Self.alpn.utf8)
    // Unlike its siblings this function returns 0 for success.
    guard SSL_CTX_set_alpn_protos(pointer, protocols, UInt32(protocols.count)) == 0 else {
      throw Self.configuration("OpenSSL did not take the ALPN list")
    }
    SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
    SSL_CTX_set_options(pointer, COpenSSL_SSL_OP_NO_RENEGOTIATION())
    COpenSSL_SSL_CTX_set_mode(
      pointer, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
  }

  private func load(_ trust: Trust) throws(TLSError) {
    switch trust {
    case .system:
      guard SSL_CTX_set_default_verify_paths(pointer) == 1 else {
        throw Self.configuration("the system's trust store cannot be read")
      }
    case .caFile(let path):
      guard !path.isEmpty, !path.utf8.contains(0) else {
        throw TLSError(.configuration, "the path of the CA file is empty or has a NUL in it")
      }
      guard SSL_CTX_load_verify_file(pointer, path) == 1 else {
        throw Self.configuration("cannot load CA certificates in PEM form from \"\(path)\"")
      }
    }
  }

  static let alpn = "http/1.1"

  private static func configuration(_ what: String) -> TLSError {
    guard let words = OpenSSLErrors.drain() else { return TLSError(.configuration, what) }
    return TLSError(.configuration, "\(what): \(words)")
  }
}

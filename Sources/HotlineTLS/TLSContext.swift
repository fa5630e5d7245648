import COpenSSL
import Synchronization

/// What all TLS connections to one upstream have in common: whom to trust, and the tickets.
///
/// Verification is always on, and nothing turns it off. TLS 1.2 and OpenSSL's security level 2 (RSA
/// of 2048 bits, no SHA-1) are the least whatever the system says, the cipher list is the system's,
/// renegotiation is refused. Early data is never sent: a server may be made to take it twice (RFC
/// 8446, 8), and a request must not run twice.
///
/// Any thread. Making one with the system's trust store takes about 15 ms: not on a loop.
package final class TLSContext: Sendable {
  /// `SSL_CTX`: counted atomically and not changed after `init`, so any thread may use it.
  private struct Handle: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  /// What is counted and kept over all connections.
  private struct State {
    var sessions: TLSSessionCache
    var handshakes = TLSHandshakeCounts()
  }

  private let handle: Handle
  private let state: Mutex<State>
  private let pins: [TLSPin]

  var pointer: OpaquePointer { handle.pointer }

  /// - Parameter sessionsMax: tickets kept, over all peers; a server sends two for a handshake.
  /// - Throws: `TLSError` of kind `configuration` where a file or the store cannot be read or
  ///   used; ``TLSError/item`` says which setting names it.
  package init(_ settings: TLSSettings, sessionsMax: Int = 64) throws(TLSError) {
    ERR_clear_error()
    guard let pointer = SSL_CTX_new(TLS_client_method()) else {
      throw Self.configuration("OpenSSL could not make a TLS context")
    }
    handle = Handle(pointer: pointer)
    state = Mutex(State(sessions: TLSSessionCache(sessionsMax: sessionsMax)))
    pins = settings.pins
    // From here on `deinit` frees the context, also when this throws.
    try setProtocol(settings.leastVersion)
    setVerification()
    try load(settings.trust)
    if let file = settings.caFileExtra { try loadAuthorities(file, .caFileExtra) }
    if let identity = settings.clientIdentity { try load(identity) }
    COpenSSL_SSL_CTX_set_session_cache_mode(
      pointer, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    SSL_CTX_sess_set_new_cb(pointer) { ssl, session in
      guard let ssl, let session else { return 0 }
      return TLSEngine.ticketArrived(ssl: ssl, session: session)
    }
  }

  package convenience init(
    trust: TLSSettings.Trust, sessionsMax: Int = 64
  ) throws(TLSError) {
    try self.init(TLSSettings(trust: trust), sessionsMax: sessionsMax)
  }

  deinit {
    SSL_CTX_free(handle.pointer)
  }

  /// Tickets kept now; for tests and status.
  package var sessionCount: Int { state.withLock { $0.sessions.count } }

  /// Handshakes that came to their end since this context was made.
  package var handshakes: TLSHandshakeCounts { state.withLock { $0.handshakes } }

  func keep(_ session: TLSSession, for peer: TLSPeer) {
    state.withLock { $0.sessions.keep(session, for: peer) }
  }

  func takeSession(for peer: TLSPeer) -> TLSSession? {
    state.withLock { $0.sessions.take(for: peer) }
  }

  func handshakeSucceeded(isResumed: Bool) {
    state.withLock { state in
      state.handshakes.all += 1
      if isResumed { state.handshakes.resumed += 1 }
    }
  }

  private func setProtocol(_ version: TLSSettings.Version) throws(TLSError) {
    // 0 stands for "whatever the library has"; a stricter minimum in the system's own
    // configuration stays.
    let least =
      switch version {
      case .tls12: TLS1_2_VERSION
      case .tls13: TLS1_3_VERSION
      }
    if COpenSSL_SSL_CTX_get_min_proto_version(pointer) < least {
      guard COpenSSL_SSL_CTX_set_min_proto_version(pointer, least) == 1 else {
        throw Self.configuration(
          "OpenSSL could not be limited to TLS \(version.rawValue) and later")
      }
    }
    // RFC 7301, 3.1: each name with its length before it.
    let protocols: [UInt8] = [UInt8(Self.alpn.utf8.count)] + Array(Self.alpn.utf8)
    // Unlike its siblings this function returns 0 for success.
    guard SSL_CTX_set_alpn_protos(pointer, protocols, UInt32(protocols.count)) == 0 else {
      throw Self.configuration("OpenSSL did not take the ALPN list")
    }
    SSL_CTX_set_options(pointer, COpenSSL_SSL_OP_NO_RENEGOTIATION())
    COpenSSL_SSL_CTX_set_mode(
      pointer, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
  }

  /// Overrides what an `openssl.cnf` may say (`VerifyMode`, `@SECLEVEL=0`).
  private func setVerification() {
    SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
    if SSL_CTX_get_security_level(pointer) < Self.securityLevelMin {
      SSL_CTX_set_security_level(pointer, Self.securityLevelMin)
    }
    guard !pins.isEmpty else { return }
    // The context outlives every connection of it, and with that every call.
    SSL_CTX_set_cert_verify_callback(
      pointer,
      { store, argument in
        guard let store, let argument else { return 0 }
        let context = Unmanaged<TLSContext>.fromOpaque(argument).takeUnretainedValue()
        return TLSPin.verify(store, among: context.pins)
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  private static let securityLevelMin: Int32 = 2

  private func load(_ trust: TLSSettings.Trust) throws(TLSError) {
    switch trust {
    case .system:
      guard SSL_CTX_set_default_verify_paths(pointer) == 1 else {
        throw Self.configuration("the system's trust store cannot be read", .caFile)
      }
    case .caFile(let path):
      try loadAuthorities(path, .caFile)
    }
  }

  private func loadAuthorities(_ path: String, _ item: TLSSettings.Item) throws(TLSError) {
    try Self.check(path, item)
    guard SSL_CTX_load_verify_file(pointer, path) == 1 else {
      throw Self.configuration("cannot load CA certificates in PEM form from \"\(path)\"", item)
    }
  }

  private func load(_ identity: TLSSettings.ClientIdentity) throws(TLSError) {
    try Self.check(identity.certificateFile, .clientCertificate)
    try Self.check(identity.keyFile, .clientKey)
    // OpenSSL would ask for a passphrase on the terminal.
    SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, _ in -1 }
    guard SSL_CTX_use_certificate_chain_file(pointer, identity.certificateFile) == 1 else {
      throw Self.configuration(
        "cannot load a certificate in PEM form from \"\(identity.certificateFile)\"",
        .clientCertificate)
    }
    let key = identity.keyFile
    guard SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1 else {
      let words = OpenSSLErrors.drain() ?? "no reason given"
      throw TLSError(
        .configuration,
        "\"\(key)\" holds no private key in PEM form that belongs to the certificate and has no "
          + "passphrase (openssl pkey -in FILE -out FILE takes that off): \(words)",
        item: .clientKey)
    }
  }

  private static func check(_ path: String, _ item: TLSSettings.Item) throws(TLSError) {
    guard !path.isEmpty, !path.utf8.contains(0) else {
      throw TLSError(.configuration, "the path is empty or has a NUL in it", item: item)
    }
  }

  static let alpn = "http/1.1"

  private static func configuration(
    _ what: String, _ item: TLSSettings.Item? = nil
  ) -> TLSError {
    let words = OpenSSLErrors.drain().map { ": \($0)" } ?? ""
    return TLSError(.configuration, what + words, item: item)
  }
}

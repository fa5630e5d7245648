/// Why an upstream connection could not be made, or why it ended: the first cause, not the last.
///
/// All text in it has been sanitised and has the key struck out; it may be logged and shown.
package struct ConnectionFailure: Error, Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable {
    /// No name, no route, refused, or the connect timeout ran out before the upgrade was answered.
    case unreachable
    /// The proxy will open no tunnel, and waiting will not change that: credentials, a rule.
    case proxyRefused = "proxy_refused"
    /// The TLS handshake failed, the certificate's verification included.
    case tls
    /// The upgrade was answered with another status than 101; `status` says which.
    case upgradeRefused = "upgrade_refused"
    /// The upgrade was answered with a 101 that is none, or with something that is not HTTP.
    case upgradeInvalid = "upgrade_invalid"
    /// The server sent a close frame; `closeCode` is 1005 if it gave none.
    case closed
    /// The stream ended or was reset without a close frame.
    case lost
    /// The server broke RFC 6455 or sent more than the limits allow.
    case protocolViolation = "protocol_violation"
    /// The daemon closed it: rotated, no longer needed, its response unwanted, no pong.
    case local
  }

  package var kind: Kind
  /// One sentence: what happened, in the words of whoever said it.
  package var detail: String
  /// HTTP status of a refused upgrade.
  package var status: Int?
  /// What the server asked for with `Retry-After` (RFC 9110, 10.2.3).
  package var retryAfter: Duration?
  /// Close code as the server sent it; 1005 where its close frame had none.
  package var closeCode: Int?
  /// Close reason as the server sent it.
  package var closeReason: String?

  package init(
    _ kind: Kind, _ detail: String, status: Int? = nil, retryAfter: Duration? = nil,
    closeCode: Int? = nil, closeReason: String? = nil
  ) {
    self.kind = kind
    self.detail = detail
    self.status = status
    self.retryAfter = retryAfter
    self.closeCode = closeCode
    self.closeReason = closeReason
  }
}

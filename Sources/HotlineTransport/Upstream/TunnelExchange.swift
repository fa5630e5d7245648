import NIOCore

/// Our side of the words by which a proxy is asked for a tunnel. Pure value; daemon loop.
package protocol TunnelExchange {
  /// What is said first.
  mutating func begun() -> ByteBuffer
  /// Consumes what the proxy said; what it leaves after `.open` is the server's.
  mutating func received(_ input: inout ByteBuffer) -> TunnelProgress
  /// The proxy closed the connection, or its time is up; `nil` if it had said nothing of use.
  mutating func ended() -> TunnelFailure?
}

package enum TunnelProgress: Hashable {
  case incomplete
  /// It will be no tunnel; the rest of why is waited for.
  case awaitingBody
  case send(ByteBuffer)
  case open
  case failed(TunnelFailure)
}

/// Why there is no tunnel; completes "the proxy …". Sanitised, secrets struck out.
package struct TunnelFailure: Error, Hashable {
  package enum Kind: Hashable {
    /// Waiting will not heal it: credentials, a rule.
    case refused
    /// The proxy could not reach the server at this address; another may do.
    case unreachable
    /// The proxy is too busy, or does not speak its protocol.
    case failed
  }

  package var kind: Kind
  package var detail: String
  package var retryAfter: Duration?

  package init(_ kind: Kind, _ detail: String, retryAfter: Duration? = nil) {
    self.kind = kind
    self.detail = detail
    self.retryAfter = retryAfter
  }
}

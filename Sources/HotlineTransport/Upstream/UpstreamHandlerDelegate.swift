import HotlineCore

/// Hears what one upstream connection does. All calls come on the daemon loop.
///
/// Some come from within a call of the handler's own methods (`send` may report a hand-over, `drop`
/// reports the end). Every method of the handler may be called from within every one of these.
package protocol UpstreamHandlerDelegate: AnyObject {
  /// The upgrade was accepted: messages may be sent. At most once.
  func upstreamOpened(_ connection: ConnectionNumber, _ facts: UpgradeFacts)

  /// One whole message; a text is UTF-8. `message` is valid during the call only.
  func upstreamReceived(
    _ connection: ConnectionNumber, _ message: UnsafeRawBufferPointer, isBinary: Bool)

  /// A ping of ours was answered. Of several unanswered pings the server may answer the last alone
  /// (RFC 6455, 5.5.3), which answers those before it too.
  func upstreamPong(_ connection: ConnectionNumber, pingID: UInt64)

  /// Bytes were heard, and all messages in them have been delivered. Comes after every delivery,
  /// also when the connection ends.
  func upstreamReadCompleted(_ connection: ConnectionNumber)

  /// The last byte of that message was handed to the connection: the server may act on it.
  func upstreamHandedOver(_ connection: ConnectionNumber, token: UInt64)

  /// The dial failed or the connection ended: exactly once for every dial, and the last call.
  /// Messages that have not been handed over by now never will be.
  func upstreamClosed(_ connection: ConnectionNumber, _ failure: ConnectionFailure)
}

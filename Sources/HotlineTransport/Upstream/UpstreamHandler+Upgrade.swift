import HotlineCore
import HotlineTLS
import NIOCore

/// From the dial to the open connection.
extension UpstreamHandler {
  /// The dial begins: from here on the connect timeout runs.
  func dialStarted() {
    arm(options.connectTimeout)
  }

  func dialFailed(_ failure: ConnectionFailure) {
    finish(failure)
    closeChannel()
  }

  func tcpConnected() {
    switch phase {
    case .dialing:
      if deadline == nil { dialStarted() }
      phase = .securing
      if endpoint.tls == nil { sendUpgrade() }
    case .closed: closeChannel()
    case .securing, .upgrading, .refused, .open, .closing: break
    }
  }

  func tlsCompleted(_ completed: TLSHandshakeCompleted) {
    guard phase == .securing else { return }
    handshake = completed
    sendUpgrade()
  }

  private func sendUpgrade() {
    let request = UpgradeRequest(
      endpoint.address, headers: endpoint.headers, nonce: encoder.nonce())
    exchange = UpgradeExchange(
      request, redactor: endpoint.redactor, limits: options.upgrade)
    phase = .upgrading
    write(request.bytes)
    flushUnlessReading()
  }

  func readUpgrade(_ input: inout ByteBuffer) {
    guard let progress = exchange?.received(&input) else { return }
    switch progress {
    case .incomplete: break
    case .awaitingBody:
      guard phase == .upgrading else { break }
      phase = .refused
      arm(options.upgrade.bodyTimeout)
    case .accepted(let facts): opened(facts, &input)
    case .failed(let failure):
      finish(failure)
      closeChannel()
    }
  }

  /// What follows the head in the same read belongs to the WebSocket.
  private func opened(_ facts: UpgradeFacts, _ input: inout ByteBuffer) {
    exchange = nil
    deadline?.cancel()
    deadline = nil
    phase = .open
    var facts = facts
    facts.tlsVersion = handshake?.version
    facts.isTLSResumed = handshake?.isResumed
    delegate?.upstreamOpened(connection, facts)
    pump()
    readFrames(&input)
  }

  func refusalEnded() {
    guard let failure = exchange?.ended() else { return }
    finish(failure)
    closeChannel()
  }

  func connectTimedOut() {
    let step =
      switch phase {
      case .dialing: "connecting"
      case .securing: "in the TLS handshake"
      case .upgrading, .refused, .open, .closing, .closed: "waiting for the answer to the upgrade"
      }
    let timeout = inSeconds(options.connectTimeout)
    finish(
      ConnectionFailure(
        .unreachable, "no answer from \(endpoint.address) within \(timeout) (\(step))"))
    closeChannel()
  }
}

/// `15 s`, `0.25 s`: for messages.
func inSeconds(_ duration: Duration) -> String {
  let milliseconds = duration.wholeNanoseconds / 1_000_000
  guard milliseconds % 1000 != 0 else { return "\(milliseconds / 1000) s" }
  return "\(Double(milliseconds) / 1000) s"
}

import HotlineCore
import HotlineDeflate
import HotlineTLS
import NIOCore

/// When the steps of a dial were done; `nil` for one that was not, or that there is none of.
package struct DialTimes: Hashable, Sendable {
  /// TCP, to the server or to its proxy.
  package var connected: NIODeadline?
  /// The proxy's tunnel.
  package var tunnelled: NIODeadline?
  /// TLS with the server.
  package var secured: NIODeadline?
  package var upgraded: NIODeadline?

  package init() {}
}

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
      dial = nil
      phase = .securing
      if endpoint.tls == nil { sendUpgrade() }
    case .closed: closeChannel()
    case .securing, .upgrading, .refused, .open, .closing: break
    }
  }

  func tlsCompleted(_ completed: TLSHandshakeCompleted) {
    guard phase == .securing else { return }
    handshake = completed
    times.secured = .now()
    sendUpgrade()
  }

  private func sendUpgrade() {
    let request = UpgradeRequest(
      endpoint.address, headers: endpoint.headers, nonce: encoder.nonce(),
      offersDeflate: options.offersDeflate)
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
    times.upgraded = .now()
    if let parameters = facts.deflate { startCompression(parameters) }
    var facts = facts
    facts.tlsVersion = handshake?.version
    facts.isTLSResumed = handshake?.isResumed
    delegate?.upstreamOpened(connection, facts)
    pump()
    readFrames(&input)
  }

  private func startCompression(_ parameters: DeflateParameters) {
    let memory = ZlibMemory()
    let inflater = MessageInflater(parameters, memory: memory)
    zlibMemory = memory
    self.inflater = inflater
    decoder = FrameDecoder(messageBytesMax: options.eventBytesMax, inflater: inflater)
    deflater = MessageDeflater(parameters, memory: memory)
  }

  func refusalEnded() {
    guard let failure = exchange?.ended() else { return }
    finish(failure)
    closeChannel()
  }

  func connectTimedOut() {
    let step =
      switch phase {
      case .dialing: dial?.progress ?? "connecting"
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
package func inSeconds(_ duration: Duration) -> String {
  let milliseconds = duration.wholeNanoseconds / 1_000_000
  guard milliseconds % 1000 != 0 else { return "\(milliseconds / 1000) s" }
  return "\(Double(milliseconds) / 1000) s"
}

import HotlineCore
import HotlineTLS
import HotlineTransport
import HotlineWire
import NIOCore

/// One connection that is opened, watched for a moment, pinged and closed. Confined to its loop.
final class DoctorProbe: UpstreamHandlerDelegate {
  /// What came of it.
  struct Findings: Sendable {
    var began = NIODeadline.now()
    var times = DialTimes()
    /// What TCP has connected to.
    var address: String?
    var handshake: TLSHandshakeCompleted?
    var facts: UpgradeFacts?
    /// Why it was never open.
    var dialFailure: ConnectionFailure?
    /// What the server did in the time of grace, if it should not have.
    var graceFailure: Failure?
    var roundTrip: Duration?
    var pingFailure: Failure?
    var ended = NIODeadline.now()
  }

  /// Why a step behind the dial did not succeed, and how long that took.
  struct Failure: Sendable {
    var detail: String
    var after: Duration
  }

  /// Some servers accept every upgrade and then take their word back.
  static let grace: TimeAmount = .milliseconds(250)

  private enum Phase {
    case dialing
    case grace(since: NIODeadline)
    case pinging(since: NIODeadline)
    case closing
  }

  private let loop: EpollLoop
  private let redactor: SecretRedactor
  private let pongTimeout: TimeAmount
  private let completion: (Findings) -> Void
  private var phase = Phase.dialing
  private var findings = Findings()
  private var handler: UpstreamHandler?
  private var timer: Scheduled<Void>?

  private init(
    _ runtime: UpstreamRuntime, on loop: EpollLoop, completion: @escaping (Findings) -> Void
  ) {
    self.loop = loop
    redactor = runtime.endpoint.redactor
    let limit = runtime.configuration.limits.pongTimeout
    pongTimeout = .nanoseconds(limit.wholeNanoseconds)
    self.completion = completion
  }

  static func run(_ runtime: UpstreamRuntime, on loop: EpollLoop) -> EventLoopFuture<Findings> {
    loop.flatSubmit {
      let promise = loop.makePromise(of: Findings.self)
      let probe = DoctorProbe(runtime, on: loop) { promise.succeed($0) }
      probe.handler = UpstreamDialer(eventLoop: loop).dial(
        ConnectionNumber(1), to: runtime.endpoint, options: runtime.options, delegate: probe)
      return promise.futureResult
    }
  }

  private func arm(_ amount: TimeAmount, _ body: @escaping () -> Void) {
    timer?.cancel()
    timer = loop.assumeIsolated().scheduleTask(in: amount, body)
  }

  // MARK: What the connection says

  func upstreamOpened(_ connection: ConnectionNumber, _ facts: UpgradeFacts) {
    findings.facts = facts
    phase = .grace(since: .now())
    arm(Self.grace) { [self] in ping() }
  }

  func upstreamReceived(
    _ connection: ConnectionNumber, _ message: UnsafeRawBufferPointer, isBinary: Bool
  ) {
    guard case .grace(let since) = phase, findings.graceFailure == nil,
      let envelope = try? UpstreamEnvelope(message, isBinary: isBinary), envelope.kind == .error
    else { return }
    let shown = redactor.show(message, bytesMax: 512)
    findings.graceFailure = Failure(
      detail: "the server accepted the upgrade and then said: \(shown)", after: .since(since))
    close()
  }

  func upstreamPong(_ connection: ConnectionNumber, pingID: UInt64) {
    guard case .pinging(let since) = phase else { return }
    findings.roundTrip = .since(since)
    close()
  }

  func upstreamReadCompleted(_ connection: ConnectionNumber) {}

  func upstreamHandedOver(_ connection: ConnectionNumber, token: UInt64) {}

  func upstreamClosed(_ connection: ConnectionNumber, _ failure: ConnectionFailure) {
    timer?.cancel()
    switch phase {
    case .dialing: findings.dialFailure = failure
    case .grace(let since):
      findings.graceFailure = Failure(
        detail: "the server accepted the upgrade and then: \(failure.detail)",
        after: .since(since))
    case .pinging(let since):
      findings.pingFailure = Failure(detail: failure.detail, after: .since(since))
    case .closing: break
    }
    findings.ended = .now()
    if let handler {
      findings.times = handler.times
      findings.address = handler.peerAddress
      findings.handshake = handler.handshake
    }
    handler = nil
    completion(findings)
  }

  // MARK: What is done

  private func ping() {
    let since = NIODeadline.now()
    phase = .pinging(since: since)
    handler?.ping(id: 1)
    arm(pongTimeout) { [self] in
      findings.pingFailure = Failure(detail: "no pong came", after: .since(since))
      close()
    }
  }

  private func close() {
    phase = .closing
    timer?.cancel()
    handler?.close(code: 1000, reason: "")
  }
}

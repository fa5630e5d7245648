import Testing

@testable import HotlineCore

@Suite struct CircuitTests {
  var circuit = Circuit()
  let error = failure(.upstreamAuth, status: 401)

  @Test func itBeginsClosed() {
    #expect(circuit.error == nil)
    #expect(circuit.probeAt == nil)
  }

  @Test mutating func aFailureOpensItForAMinute() {
    circuit.failed(with: error, retryAfter: nil, at: t(0))
    #expect(circuit.error == error)
    #expect(circuit.probeAt == t(60_000))
  }

  @Test mutating func failedProbesDoubleTheWaitToTenMinutes() {
    var now = 0
    for seconds in [60, 120, 240, 480, 600, 600] {
      circuit.failed(with: error, retryAfter: nil, at: t(now))
      #expect(circuit.probeAt == t(now + seconds * 1_000))
      now += seconds * 1_000
    }
  }

  @Test mutating func failuresBeforeTheProbeDoNotMoveIt() {
    circuit.failed(with: error, retryAfter: nil, at: t(0))
    let other = failure(.upstreamRejected, status: 404)
    circuit.failed(with: other, retryAfter: nil, at: t(59_999))
    #expect(circuit.probeAt == t(60_000))
    #expect(circuit.error == other)
    circuit.failed(with: error, retryAfter: nil, at: t(60_000))
    #expect(circuit.probeAt == t(180_000))
  }

  @Test mutating func retryAfterOfALateFailureIsHonoured() {
    circuit.failed(with: error, retryAfter: nil, at: t(0))
    circuit.failed(with: error, retryAfter: .seconds(90), at: t(1_000))
    #expect(circuit.probeAt == t(91_000))
  }

  @Test mutating func theLatestErrorIsTheOneThatIsTold() {
    circuit.failed(with: error, retryAfter: nil, at: t(0))
    let later = failure(.upstreamRejected, status: 404)
    circuit.failed(with: later, retryAfter: nil, at: t(60_000))
    #expect(circuit.error == later)
  }

  @Test mutating func retryAfterLengthensTheWaitUpToTenMinutes() {
    circuit.failed(with: error, retryAfter: .seconds(90), at: t(0))
    #expect(circuit.probeAt == t(90_000))
    circuit = Circuit()
    circuit.failed(with: error, retryAfter: .seconds(9_000), at: t(0))
    #expect(circuit.probeAt == t(600_000))
    circuit = Circuit()
    circuit.failed(with: error, retryAfter: .seconds(1), at: t(0))
    #expect(circuit.probeAt == t(60_000))
  }

  @Test mutating func anOpeningClosesItButKeepsTheStep() {
    circuit.failed(with: error, retryAfter: nil, at: t(0))
    circuit.opened()
    #expect(circuit.error == nil)
    #expect(circuit.probeAt == nil)
    circuit.failed(with: error, retryAfter: nil, at: t(60_000))
    #expect(circuit.probeAt == t(180_000))
  }

  @Test mutating func aProofResetsTheStep() {
    circuit.failed(with: error, retryAfter: nil, at: t(0))
    circuit.succeeded()
    #expect(circuit.error == nil)
    circuit.failed(with: error, retryAfter: nil, at: t(60_000))
    #expect(circuit.probeAt == t(120_000))
  }

  @Test(arguments: [
    (401, HotlineError.Code.upstreamAuth), (403, .upstreamAuth), (400, .upstreamRejected),
    (404, .upstreamRejected), (405, .upstreamRejected), (426, .upstreamRejected),
    (301, .upstreamRejected), (200, .upstreamRejected),
  ])
  func refusalsThatCannotHealHaveACode(status: Int, code: HotlineError.Code) {
    #expect(ConnectionFailure.upgrade(status).hopelessCode == code)
  }

  @Test(arguments: [408, 425, 429, 500, 502, 503, 504, 599])
  func refusalsThatMayHealHaveNone(status: Int) {
    #expect(ConnectionFailure.upgrade(status).hopelessCode == nil)
  }

  @Test(arguments: [1000, 1001, 1002, 1005, 1006, 1009, 1011, 1012, 1013, 1015, 3000, 4001])
  func mostCloseCodesMayHeal(code: Int) {
    #expect(ConnectionFailure.closed(code).hopelessCode == nil)
  }

  @Test(arguments: [1008, 4000])
  func policyViolationsCannotHeal(code: Int) {
    #expect(ConnectionFailure.closed(code).hopelessCode == .upstreamRejected)
  }

  @Test func aProxyThatRefusesCannotHeal() {
    #expect(ConnectionFailure(.proxyRefused, "407").hopelessCode == .upstreamRejected)
  }

  @Test(arguments: [
    ConnectionFailure.Kind.unreachable, .tls, .upgradeInvalid, .lost, .protocolViolation, .local,
  ])
  func otherFailuresMayHeal(kind: ConnectionFailure.Kind) {
    #expect(ConnectionFailure(kind, "").hopelessCode == nil)
  }

  @Test func aFailureBecomesAnErrorWithTheServersOwnWords() {
    var failure = ConnectionFailure.closed(1008, "go away")
    failure.status = 403
    let error = failure.error(.connectionLost, "lost", sent: .unknown, isRetryable: true)
    #expect(
      error.detail == "lost: closed with 1008; the request may be billed twice if sent again")
    #expect(error.origin == .upstream)
    #expect(error.sent == .unknown)
    #expect(error.isRetryable)
    #expect(error.status == 403)
    #expect(error.closeCode == 1008)
    #expect(error.closeReason == "go away")
  }
}

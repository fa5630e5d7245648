import Testing

@testable import HotlineCore

/// Every state of the small machines with every input. Another state or input does not compile
/// until it has its rows.
@Suite struct KeepaliveTableTests {
  enum Stage: CaseIterable {
    case quiet, awaitingPong, dead

    init(_ state: Keepalive.State) {
      switch state {
      case .quiet: self = .quiet
      case .awaitingPong: self = .awaitingPong
      case .dead: self = .dead
      }
    }

    /// Since the origin, with an interval of 25 s and a timeout of 10 s.
    var keepalive: Keepalive {
      var keepalive = Keepalive(interval: .seconds(25), timeout: .seconds(10), at: t(0))
      switch self {
      case .quiet: break
      case .awaitingPong: _ = keepalive.deadlineReached(at: t(25_000))
      case .dead:
        _ = keepalive.deadlineReached(at: t(25_000))
        _ = keepalive.deadlineReached(at: t(35_000))
      }
      return keepalive
    }
  }

  enum Input: CaseIterable {
    case early, due, heard, pong, anotherPong, probe, limits
  }

  struct Answer: Equatable {
    var verdict: Keepalive.Verdict?
    var state: Keepalive.State
    var roundTrip: Duration?

    init(
      _ verdict: Keepalive.Verdict?, _ state: Keepalive.State, roundTrip: Duration? = nil
    ) {
      self.verdict = verdict
      self.state = state
      self.roundTrip = roundTrip
    }
  }

  private func answer(_ stage: Stage, _ input: Input) -> Answer {
    var keepalive = stage.keepalive
    var verdict: Keepalive.Verdict?
    switch input {
    case .early:
      verdict = keepalive.deadlineReached(at: t(stage == .quiet ? 24_999 : 34_999))
    case .due: verdict = keepalive.deadlineReached(at: t(stage == .quiet ? 25_000 : 35_000))
    case .heard: keepalive.heard(at: t(30_000))
    case .pong: keepalive.pongReceived(id: 1, at: t(30_000))
    case .anotherPong: keepalive.pongReceived(id: 2, at: t(30_000))
    case .probe:
      verdict = keepalive.probe(within: .seconds(3), at: t(30_000)).map { .sendPing(id: $0) }
    case .limits: keepalive.limits(interval: .seconds(1), timeout: .seconds(1))
    }
    return Answer(verdict, keepalive.state, roundTrip: keepalive.roundTrip)
  }

  private func expected(_ stage: Stage, _ input: Input) -> Answer {
    let heard = Keepalive.State.quiet(pingAt: t(55_000))
    let probed = Keepalive.State.awaitingPong(giveUpAt: t(33_000))
    let dead = Keepalive.Verdict.dead(after: .seconds(10))
    switch (stage, input) {
    case (.quiet, .early): return Answer(nil, .quiet(pingAt: t(25_000)))
    case (.quiet, .limits): return Answer(nil, .quiet(pingAt: t(1_000)))
    case (.quiet, .due):
      return Answer(.sendPing(id: 1), .awaitingPong(giveUpAt: t(35_000)))
    case (.quiet, .heard), (.quiet, .pong), (.quiet, .anotherPong), (.awaitingPong, .heard),
      (.awaitingPong, .anotherPong):
      return Answer(nil, heard)
    case (.quiet, .probe): return Answer(.sendPing(id: 1), probed)
    case (.awaitingPong, .early), (.awaitingPong, .limits):
      return Answer(nil, .awaitingPong(giveUpAt: t(35_000)))
    case (.awaitingPong, .due): return Answer(dead, .dead)
    case (.awaitingPong, .pong): return Answer(nil, heard, roundTrip: .seconds(5))
    case (.awaitingPong, .probe): return Answer(.sendPing(id: 2), probed)
    case (.dead, .pong): return Answer(nil, .dead, roundTrip: .seconds(5))
    case (.dead, .early), (.dead, .due), (.dead, .heard), (.dead, .anotherPong), (.dead, .probe),
      (.dead, .limits):
      return Answer(nil, .dead)
    }
  }

  @Test(arguments: Stage.allCases, Input.allCases)
  func everyInputInEveryState(stage: Stage, input: Input) {
    #expect(Stage(stage.keepalive.state) == stage)
    #expect(answer(stage, input) == expected(stage, input))
  }

  @Test(arguments: Stage.allCases)
  func theDeadlineIsThatOfTheState(stage: Stage) {
    switch stage.keepalive.state {
    case .quiet(let pingAt): #expect(stage.keepalive.nextDeadline == pingAt)
    case .awaitingPong(let giveUpAt): #expect(stage.keepalive.nextDeadline == giveUpAt)
    case .dead: #expect(stage.keepalive.nextDeadline == nil)
    }
  }

  @Test func anotherIntervalCountsFromWhatWasHeardLast() {
    var keepalive = Stage.quiet.keepalive
    keepalive.heard(at: t(3_000))
    keepalive.limits(interval: .seconds(20), timeout: .seconds(2))
    #expect(keepalive.deadlineReached(at: t(22_999)) == nil)
    #expect(keepalive.deadlineReached(at: t(23_000)) == .sendPing(id: 1))
    #expect(keepalive.nextDeadline == t(25_000))
    keepalive.limits(interval: .seconds(20), timeout: .seconds(9))
    #expect(keepalive.nextDeadline == t(25_000))
  }

  @Test func anUnansweredProbeIsDeathAtItsOwnLimit() {
    var keepalive = Stage.quiet.keepalive
    #expect(keepalive.probe(within: .seconds(3), at: t(1_000)) == 1)
    #expect(keepalive.deadlineReached(at: t(3_999)) == nil)
    #expect(keepalive.deadlineReached(at: t(4_000)) == .dead(after: .seconds(3)))
  }

  @Test func askingAgainGivesNoMoreTime() {
    var keepalive = Stage.quiet.keepalive
    #expect(keepalive.probe(within: .seconds(3), at: t(1_000)) == 1)
    #expect(keepalive.probe(within: .seconds(3), at: t(2_000)) == 2)
    #expect(keepalive.nextDeadline == t(4_000))
    #expect(keepalive.probe(within: .seconds(1), at: t(2_500)) == 3)
    #expect(keepalive.deadlineReached(at: t(3_500)) == .dead(after: .milliseconds(2_500)))
  }
}

@Suite struct CircuitTableTests {
  enum Stage: CaseIterable {
    case closed, open

    init(_ state: Circuit.State) {
      switch state {
      case .closed: self = .closed
      case .open: self = .open
      }
    }

    /// Open: since the origin, its probe is due at 60 s.
    var circuit: Circuit {
      var circuit = Circuit()
      switch self {
      case .closed: break
      case .open: circuit.failed(with: Self.first, retryAfter: nil, at: t(0))
      }
      return circuit
    }

    static let first = failure(.upstreamAuth, status: 401)
  }

  enum Input: CaseIterable {
    case failedBeforeTheProbe, failedAtTheProbe, askedForTime, gaveUp, opened, succeeded
  }

  private let second = failure(.upstreamRejected, status: 404)

  private func answer(_ stage: Stage, _ input: Input) -> Circuit.State {
    var circuit = stage.circuit
    switch input {
    case .failedBeforeTheProbe: circuit.failed(with: second, retryAfter: nil, at: t(59_999))
    case .failedAtTheProbe: circuit.failed(with: second, retryAfter: nil, at: t(60_000))
    case .askedForTime: circuit.failed(with: second, retryAfter: .seconds(90), at: t(1_000))
    case .gaveUp: circuit.gaveUp(with: second, until: t(90_000))
    case .opened: circuit.opened()
    case .succeeded: circuit.succeeded()
    }
    return circuit.state
  }

  private func expected(_ stage: Stage, _ input: Input) -> Circuit.State {
    switch (stage, input) {
    case (.closed, .failedBeforeTheProbe): .open(error: second, probeAt: t(119_999))
    case (.closed, .failedAtTheProbe): .open(error: second, probeAt: t(120_000))
    case (.closed, .askedForTime), (.open, .askedForTime):
      .open(error: second, probeAt: t(91_000))
    case (.open, .failedBeforeTheProbe): .open(error: second, probeAt: t(60_000))
    case (.closed, .gaveUp): .open(error: second, probeAt: t(90_000))
    case (.open, .gaveUp): .open(error: Stage.first, probeAt: t(60_000))
    case (.open, .failedAtTheProbe): .open(error: second, probeAt: t(180_000))
    case (.closed, .opened), (.closed, .succeeded), (.open, .opened), (.open, .succeeded): .closed
    }
  }

  @Test(arguments: Stage.allCases, Input.allCases)
  func everyInputInEveryState(stage: Stage, input: Input) {
    #expect(Stage(stage.circuit.state) == stage)
    #expect(answer(stage, input) == expected(stage, input))
  }
}

@Suite struct BackoffTableTests {
  /// What came before, at the origin and with no luck in the jitter.
  enum Stage: CaseIterable {
    case fresh, failed, askedForTime, openedSince

    var backoff: Backoff {
      var backoff = Backoff()
      switch self {
      case .fresh: break
      case .failed: backoff.dialFailed(retryAfter: nil, fraction: 1, at: t(0))
      case .askedForTime: backoff.dialFailed(retryAfter: .seconds(9), fraction: 1, at: t(0))
      case .openedSince:
        backoff.dialFailed(retryAfter: .seconds(9), fraction: 1, at: t(0))
        backoff.opened(dialedAt: t(0))
      }
      return backoff
    }
  }

  enum Input: CaseIterable {
    case nothing, failed, askedForTime, opened, succeeded, forget
  }

  private func answer(_ stage: Stage, _ input: Input) -> (dialAt: MonotonicInstant?, failures: Int)
  {
    var backoff = stage.backoff
    switch input {
    case .nothing: break
    case .failed: backoff.dialFailed(retryAfter: nil, fraction: 1, at: t(100))
    case .askedForTime: backoff.dialFailed(retryAfter: .seconds(5), fraction: 1, at: t(100))
    case .opened: backoff.opened(dialedAt: t(0))
    case .succeeded: backoff.succeeded(dialedAt: t(0))
    case .forget: backoff.forget()
    }
    return (backoff.dialAt(isWanted: false, downSince: nil), backoff.failures)
  }

  private func expected(
    _ stage: Stage, _ input: Input
  ) -> (dialAt: MonotonicInstant?, failures: Int) {
    switch (stage, input) {
    case (.fresh, .nothing), (.fresh, .opened), (.fresh, .succeeded), (.failed, .succeeded),
      (.askedForTime, .succeeded), (.openedSince, .succeeded), (.fresh, .forget),
      (.failed, .forget), (.askedForTime, .forget), (.openedSince, .forget):
      (nil, 0)
    case (.fresh, .failed): (t(600), 1)
    case (.fresh, .askedForTime): (t(5_100), 1)
    case (.failed, .nothing): (t(500), 1)
    case (.failed, .failed), (.openedSince, .failed): (t(1_100), 2)
    case (.failed, .askedForTime), (.openedSince, .askedForTime): (t(5_100), 2)
    case (.askedForTime, .nothing): (t(9_000), 1)
    // A later failure does not revoke what the server asked for.
    case (.askedForTime, .failed), (.askedForTime, .askedForTime): (t(9_000), 2)
    case (.failed, .opened), (.askedForTime, .opened), (.openedSince, .opened),
      (.openedSince, .nothing):
      (nil, 1)
    }
  }

  @Test(arguments: Stage.allCases, Input.allCases)
  func everyInputInEveryState(stage: Stage, input: Input) {
    let (answer, expected) = (answer(stage, input), expected(stage, input))
    #expect(answer.dialAt == expected.dialAt)
    #expect(answer.failures == expected.failures)
  }
}

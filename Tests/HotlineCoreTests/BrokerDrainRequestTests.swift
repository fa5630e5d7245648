import Testing

@testable import HotlineCore

/// A drain that a client asked for, and what ends it.
@Suite struct BrokerDrainRequestTests {
  private let refused = failure(.shuttingDown, retryable: true)

  private static func ended(
    _ outcome: Outcome = .completed, as number: RequestNumber = 1, response: ByteString = "r1",
    events: Int = 2
  ) -> Action {
    .finish(
      number, nil,
      done(outcome, on: 1, reused: true, response: response, firstEvent: 0, events: events))
  }

  @Test func withNothingToFinishItIsAnsweredAtOnceAndLastsUntilAReload() {
    var fixture = BrokerFixture.single()
    #expect(fixture.drain(7) == [.answer(7, nil)])
    #expect(fixture.broker.isDraining)
    #expect(fixture.ask("a") == [.refuse(1, refused)])
    #expect(
      fixture.words == [
        "the daemon is being drained and takes no new requests; send it again after hotline reload"
      ])
    #expect(fixture.drain(8) == [.answer(8, nil)])
    #expect(fixture.reload() == [])
    #expect(fixture.broker.isDraining == false)
    #expect(fixture.ask("a") == [.accept(1, madeID: nil), .send(1, on: 1, lane: nil)])
  }

  @Test func itIsAnsweredAfterTheLastRequestOfAnyClient() {
    var fixture = BrokerFixture.single(clients: 3)
    fixture.run("a", response: "r1", as: 1)
    fixture.ask("b", from: 2)
    #expect(fixture.drain(7, by: 3) == [])
    #expect(fixture.ask("c") == [.refuse(1, refused)])
    #expect(
      fixture.event(.ended()) == [.deliver(1), Self.ended(), .send(2, on: 1, lane: nil)])
    fixture.handedOver(2)
    #expect(
      fixture.event(.ended(.completed, "r2")) == [
        .deliver(2), Self.ended(as: 2, response: "r2", events: 1), .answer(7, nil),
      ])
  }

  @Test func allWhoAskedAreAnsweredInTheOrderTheyAsked() {
    var fixture = BrokerFixture.single(clients: 3)
    fixture.run("a", response: "r1", as: 1)
    fixture.drain(9, by: 3)
    fixture.drain(10, by: 2)
    fixture.drain(11, by: 3)
    #expect(
      fixture.event(.ended()) == [
        .deliver(1), Self.ended(), .answer(9, nil), .answer(10, nil), .answer(11, nil),
      ])
  }

  @Test func aConnectionIsDialledForWhatStillWaits() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.drain(7)
    #expect(fixture.closed(1, .reset, at: 3_000) == [.dial(2, 0)])
    #expect(fixture.opened(2) == [.send(1, on: 2, lane: nil)])
  }

  enum End: CaseIterable {
    case terminal, cancel, hangUp, timeout, loss
  }

  @Test(arguments: End.allCases)
  func whateverEndsTheLastRequestEndsTheDrain(end: End) {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "r1", as: 1) { $0.timeout = .seconds(5) }
    fixture.drain(7, by: 2)
    let actions =
      switch end {
      case .terminal: fixture.event(.ended())
      case .cancel: fixture.cancel("a")
      case .hangUp: fixture.hangUp(1)
      case .timeout: fixture.deadline(at: 5_000)
      case .loss: fixture.closed(1, .reset)
      }
    #expect(actions.contains { $0.isFinish })
    #expect(actions.last == .answer(7, nil))
  }

  @Test func aReloadTellsWhoAskedThatItWasEnded() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "r1", as: 1)
    fixture.drain(7)
    fixture.drain(8, by: 2)
    let ended = failure(.cancelled, retryable: true)
    #expect(fixture.reload() == [.answer(7, ended), .answer(8, ended)])
    #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
    #expect(
      fixture.event(.ended()).contains { if case .answer = $0 { true } else { false } } == false)
  }

  @Test func whoAskedAndLeftIsNotAnswered() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "r1", as: 1)
    fixture.drain(7, by: 2)
    #expect(fixture.hangUp(2) == [])
    #expect(fixture.broker.isDraining)
    #expect(fixture.event(.ended()) == [.deliver(1), Self.ended()])
  }

  @Test func whoAskedAndWritesNoMoreIsAnsweredThenClosed() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "r1", as: 1)
    fixture.drain(7, by: 2)
    #expect(fixture.halfClose(2) == [])
    #expect(
      fixture.event(.ended()) == [.deliver(1), Self.ended(), .answer(7, nil), .closeClient(2)])
  }

  @Test func aReloadClosesWhoWritesNoMore() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "r1", as: 1)
    fixture.drain(7, by: 2)
    fixture.halfClose(2)
    #expect(
      fixture.reload() == [.answer(7, failure(.cancelled, retryable: true)), .closeClient(2)])
  }

  @Test func theEndOfTheDaemonAnswersADrain() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "r1", as: 1)
    fixture.drain(7, by: 2)
    #expect(fixture.terminate() == [])
    #expect(
      fixture.event(.ended()) == [.deliver(1), Self.ended(), .answer(7, nil), .stop])
    #expect(fixture.drain(8, by: 2) == [])
  }

  @Test func aDrainMayBeAskedForWhileTheDaemonEnds() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "r1", as: 1)
    fixture.terminate()
    #expect(fixture.drain(7, by: 2) == [])
    let ending = failure(.shuttingDown, sent: .yes, retryable: true)
    let end = done(.error, on: 1, reused: true, response: "r1", firstEvent: 0, events: 1)
    #expect(fixture.terminate() == [.finish(1, ending, end), .answer(7, nil), .stop])
  }

  @Test func whoIsGoneCannotAskForIt() {
    var fixture = BrokerFixture.single()
    fixture.hangUp(1)
    #expect(fixture.drain(7) == [])
    #expect(fixture.broker.isDraining == false)
  }

  /// The daemon may be told to serve other users too.
  @Test(arguments: [(UInt32(1000), true), (0, true), (1001, false)])
  func onlyTheOwnerAndRootMayAskForIt(uid: UInt32, isAllowed: Bool) {
    var fixture = BrokerFixture.single()
    fixture.broker.clients[1] = Broker.Client(uid: uid)
    let error = failure(.notAllowed, origin: .client)
    #expect(fixture.drain(7) == (isAllowed ? [.answer(7, nil)] : [.refuse(1, error)]))
    #expect(fixture.broker.isDraining == isAllowed)
    #expect((fixture.broker.commandRefusal(for: 1) == nil) == isAllowed)
  }
}

/// Every phase of the daemon with every input.
@Suite struct BrokerPhaseTableTests {
  enum Stage: CaseIterable {
    case running, draining, terminating, stopped

    init(_ phase: Broker.Phase) {
      switch phase {
      case .running: self = .running
      case .draining: self = .draining
      case .terminating: self = .terminating
      case .stopped: self = .stopped
      }
    }

    /// Client 1 runs number 1 on the only connection, until the daemon has stopped; client 2 is
    /// there too.
    var fixture: BrokerFixture {
      var fixture = BrokerFixture.single(
        clients: 2, limits: .with { $0.shutdownTimeout = .seconds(1) })
      fixture.pass(to: 3_000)
      fixture.run("a", response: "r1", as: 1)
      switch self {
      case .running: break
      case .draining: fixture.drain(7, by: 2)
      case .terminating: fixture.terminate()
      case .stopped:
        fixture.terminate()
        fixture.terminate()
      }
      return fixture
    }
  }

  enum Input: CaseIterable {
    case start, connect, connectAnother, halfClose, hangUp, request, refusal, cancel, control
    case opened, closed, progress, terminal, notice, secondDue
    case drain, terminate, reload, networkChange
  }

  private func perform(_ input: Input, on fixture: inout BrokerFixture) -> [Action] {
    switch input {
    case .start: fixture.start()
    case .connect: fixture.connect(3)
    case .connectAnother: fixture.connect(3, uid: 1001)
    case .halfClose: fixture.halfClose(1)
    case .hangUp: fixture.hangUp(1)
    case .request: fixture.ask("b")
    case .refusal: fixture.broker.requestRefused(Self.invalid, from: 1)
    case .cancel: fixture.cancel("a")
    case .control: fixture.control("a")
    case .opened: fixture.opened(1)
    case .closed: fixture.closed(1, .reset)
    case .progress: fixture.event(.text)
    case .terminal: fixture.event(.ended())
    case .notice: fixture.event(.notice)
    case .secondDue: fixture.deadline(at: 4_000)
    case .drain: fixture.drain(8, by: 2)
    case .terminate: fixture.terminate()
    case .reload: fixture.reload()
    case .networkChange: fixture.networkChanged()
    }
  }

  private static let invalid = failure(.invalidJSON, origin: .client)
  private static let notAllowed = failure(.notAllowed, origin: .client)
  private static let unknown = failure(.unknownRequestID, origin: .client, param: "request_id")

  private static func ended(
    _ outcome: Outcome, _ error: HotlineError? = nil, events: Int = 1, total: Int = 0
  ) -> Action {
    .finish(
      1, error,
      done(
        outcome, on: 1, reused: true, response: "r1", firstEvent: 0, total: total,
        events: events))
  }

  private func expected(_ input: Input, in stage: Stage) -> [Action] {
    switch stage {
    case .running, .draining, .terminating: beforeTheStop(input, stage)
    case .stopped: afterTheStop(input)
    }
  }

  /// What follows when nothing is open any more.
  private func last(_ stage: Stage) -> [Action] {
    switch stage {
    case .running, .stopped: []
    case .draining: [.answer(7, nil)]
    case .terminating: [.stop]
    }
  }

  /// A connection is replaced but where the daemon ends.
  private func dial(_ stage: Stage) -> [Action] { stage == .terminating ? [] : [.dial(2, 0)] }

  private func beforeTheStop(_ input: Input, _ stage: Stage) -> [Action] {
    let ending = failure(.shuttingDown, sent: .yes, retryable: true)
    switch input {
    case .start, .connect, .halfClose, .opened: return []
    case .connectAnother: return [.refuse(3, Self.notAllowed), .closeClient(3)]
    case .hangUp, .cancel:
      return [Self.ended(.cancelled), .closeConnection(1, .abandoned)] + dial(stage) + last(stage)
    case .request:
      guard stage != .running else { return [.accept(2, madeID: nil)] }
      return [.refuse(1, failure(.shuttingDown, retryable: true))]
    case .refusal: return [.refuse(1, Self.invalid)]
    case .control: return [.forward(1, on: 1, responseID: "r1")]
    case .closed:
      let lost = failure(.connectionLost, origin: .upstream, sent: .yes, retryable: true)
      return [Self.ended(.error, lost)] + dial(stage) + last(stage)
    case .progress, .notice: return [.deliver(1)]
    case .terminal: return [.deliver(1), Self.ended(.completed, events: 2)] + last(stage)
    case .secondDue:
      guard stage == .terminating else { return [] }
      return [Self.ended(.error, ending, total: 1_000), .stop]
    case .drain: return []
    case .terminate:
      return stage == .terminating ? [Self.ended(.error, ending), .stop] : []
    case .reload:
      guard stage == .draining else { return [] }
      return [.answer(7, failure(.cancelled, retryable: true))]
    case .networkChange: return [.sendPing(1, id: 1)]
    }
  }

  private func afterTheStop(_ input: Input) -> [Action] {
    switch input {
    case .start, .connect, .hangUp, .opened, .closed, .notice, .secondDue, .drain, .terminate,
      .reload, .networkChange:
      []
    case .connectAnother: [.refuse(3, Self.notAllowed), .closeClient(3)]
    case .halfClose: [.closeClient(1)]
    case .request: [.refuse(1, failure(.shuttingDown, retryable: true))]
    case .refusal: [.refuse(1, Self.invalid)]
    case .cancel, .control: [.refuse(1, Self.unknown)]
    case .progress, .terminal: [.closeConnection(1, .unexpectedEvent)]
    }
  }

  @Test(arguments: Stage.allCases, Input.allCases)
  func everyInputInEveryPhase(stage: Stage, input: Input) {
    var fixture = stage.fixture
    #expect(Stage(fixture.broker.phase) == stage)
    #expect(perform(input, on: &fixture) == expected(input, in: stage))
  }

  @Test(arguments: Stage.allCases)
  func onlyARunningDaemonTakesRequests(stage: Stage) {
    #expect(stage.fixture.broker.isDraining == (stage != .running))
    #expect((stage.fixture.nextDeadline == nil) == (stage == .stopped))
  }

  /// The next phase; nil: the same.
  @Test(arguments: Stage.allCases, Input.allCases)
  func aPhaseChangesByFewInputs(stage: Stage, input: Input) {
    var fixture = stage.fixture
    _ = perform(input, on: &fixture)
    let ends: [Input] = [.hangUp, .cancel, .closed, .terminal, .secondDue, .terminate]
    let expected: Stage =
      switch stage {
      case .running: input == .drain ? .draining : input == .terminate ? .terminating : .running
      case .draining:
        input == .reload ? .running : input == .terminate ? .terminating : .draining
      case .terminating: ends.contains(input) ? .stopped : .terminating
      case .stopped: .stopped
      }
    #expect(Stage(fixture.broker.phase) == expected)
  }
}

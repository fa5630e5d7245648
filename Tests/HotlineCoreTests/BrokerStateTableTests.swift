import Testing

@testable import HotlineCore

/// Every state of a connection with every input that names it or concerns it.
@Suite struct BrokerConnectionTableTests {
  enum Stage: CaseIterable {
    case dialing, idle, busy, retiring, closing, gone

    init(_ connection: UpstreamConnection?) {
      switch connection?.state {
      case .dialing: self = .dialing
      case .ready: self = connection?.isIdle == true ? .idle : .busy
      case .retiring: self = .retiring
      case .closing: self = .closing
      case nil: self = .gone
      }
    }

    /// There is one connection; it made `r0` for number 1, and in the last four stages number 2
    /// runs there, or did. A successor is being dialled in the last three.
    var fixture: BrokerFixture {
      var fixture = BrokerFixture { $0.connectionsMax = 1 }
      fixture.start()
      guard self != .dialing else { return fixture }
      fixture.opened(1)
      fixture.pass(to: 3_000)
      fixture.serve("z", response: "r0", as: 1)
      guard self != .idle else { return fixture }
      fixture.run("x", response: "r1", as: 2)
      switch self {
      case .dialing, .idle, .busy: break
      case .retiring: fixture.reload { $0[0].needsNewConnections = true }
      case .closing: fixture.cancel("x")
      case .gone:
        fixture.cancel("x")
        fixture.closed(1)
      }
      return fixture
    }
  }

  enum Input: CaseIterable {
    case opened, lost, progress, terminal, notice, continuation, request, cancel, networkChange
    case reloadConnections, reloadRemoved, reloadLanes, terminate
    case error, unusable, heard, pong, handedOver, pongMissing
  }

  private func perform(_ input: Input, on fixture: inout BrokerFixture) -> [Action] {
    switch input {
    case .heard:
      fixture.heard(1)
      return fixture.deadline(at: fixture.now)
    case .handedOver:
      fixture.handedOver(2)
      fixture.broker.requestHandedOver(2, on: 1)
      return fixture.deadline(at: fixture.now)
    case .pong:
      // Of a ping that nobody sent.
      return fixture.pong(1, id: 1) + fixture.deadline(at: fixture.now)
    case .pongMissing:
      fixture.networkChanged()
      // One that answers somebody is given more time than an idle one.
      let patience = fixture.pool.settings.limits.pongTimeout
      return fixture.deadline(at: fixture.now + Int(patience / .milliseconds(1)))
    case .opened, .lost, .progress, .terminal, .notice, .error, .unusable, .continuation, .request,
      .cancel, .networkChange, .reloadConnections, .reloadRemoved, .reloadLanes, .terminate:
      return performOne(input, on: &fixture)
    }
  }

  private func performOne(_ input: Input, on fixture: inout BrokerFixture) -> [Action] {
    switch input {
    case .heard, .handedOver, .pong, .pongMissing: []
    case .error: fixture.event(.error("bad"))
    case .unusable: fixture.event(.unusable)
    case .opened: fixture.opened(1)
    case .lost: fixture.closed(1, .reset)
    case .progress: fixture.event(.text)
    case .terminal: fixture.event(.ended(.completed, "r1"))
    case .notice: fixture.event(.notice)
    case .continuation: fixture.ask("c") { $0.previousResponseID = "r0" }
    case .request: fixture.ask("c")
    case .cancel: fixture.cancel("x")
    case .networkChange: fixture.networkChanged()
    case .reloadConnections: fixture.reload { $0[0].needsNewConnections = true }
    case .reloadRemoved: fixture.reload { $0[0].isRemoved = true }
    case .reloadLanes: fixture.reload { $0[0].settings.limits.lanes = 2 }
    case .terminate: fixture.terminate()
    }
  }

  private static let unknown = Action.refuse(
    1, failure(.unknownRequestID, origin: .client, param: "request_id"))

  private static func ended(_ outcome: Outcome, events: Int = 1) -> Action {
    .finish(
      2, nil,
      done(outcome, on: 1, reused: true, response: "r1", firstEvent: 0, events: events))
  }

  private static func given(up reason: CloseReason) -> [Action] {
    [.closeConnection(1, reason), .dial(2, 0)]
  }

  private static func unanswered(after total: Int) -> Action {
    .finish(
      2, failure(.connectionLost, origin: .upstream, sent: .yes, retryable: true),
      done(
        .error, on: 1, reused: true, response: "r1", firstEvent: 0, total: total, events: 1))
  }

  private static func accepted(_ number: RequestNumber, _ more: Action...) -> [Action] {
    [.accept(number, madeID: nil)] + more
  }

  private static func lost(_ number: RequestNumber) -> Action {
    .finish(
      number, failure(.conversationLost, param: "previous_response_id"), done(.error))
  }

  private static let replaced: [Action] = [.closeConnection(2, .reloaded), .dial(3, 0)]

  private func expected(_ input: Input, in stage: Stage) -> [Action] {
    switch stage {
    case .dialing: whileDialing(input)
    case .idle: whileIdle(input)
    case .busy: whileBusy(input)
    case .retiring: whileRetiring(input)
    case .closing, .gone: afterwards(input)
    }
  }

  private func whileDialing(_ input: Input) -> [Action] {
    switch input {
    case .opened, .lost, .progress, .terminal, .notice, .networkChange, .error, .unusable, .heard,
      .pong, .handedOver, .pongMissing:
      []
    case .reloadRemoved: [.closeConnection(1, .reloaded)]
    case .continuation: Self.accepted(1, Self.lost(1))
    case .request: Self.accepted(1)
    case .cancel: [Self.unknown]
    case .reloadConnections, .reloadLanes: [.closeConnection(1, .reloaded), .dial(2, 0)]
    case .terminate: [.stop]
    }
  }

  private func whileIdle(_ input: Input) -> [Action] {
    switch input {
    case .opened, .notice, .heard, .pong, .handedOver: []
    case .lost: [.dial(2, 0)]
    case .pongMissing: Self.given(up: .pongTimeout)
    case .progress, .terminal, .error, .unusable: Self.given(up: .unexpectedEvent)
    case .continuation, .request: Self.accepted(2, .send(2, on: 1, lane: nil))
    case .cancel: [Self.unknown]
    case .networkChange: [.sendPing(1, id: 1)]
    case .reloadConnections, .reloadLanes: [.closeConnection(1, .reloaded), .dial(2, 0)]
    case .reloadRemoved: [.closeConnection(1, .reloaded)]
    case .terminate: [.stop]
    }
  }

  private func whileBusy(_ input: Input) -> [Action] {
    switch input {
    case .opened, .reloadRemoved, .terminate, .heard, .pong, .handedOver: return []
    case .error:
      return [.deliver(2), Self.ended(.error, events: 2)] + Self.given(up: .errorInResponse)
    case .unusable: return [.deliver(2)]
    case .pongMissing:
      return [Self.unanswered(after: 10_000)] + Self.given(up: .pongTimeout)
    case .lost:
      let error = failure(.connectionLost, origin: .upstream, sent: .yes, retryable: true)
      let end = done(.error, on: 1, reused: true, response: "r1", firstEvent: 0, events: 1)
      return [.finish(2, error, end), .dial(2, 0)]
    case .notice: return [.deliver(2)]
    case .progress: return [.deliver(2)]
    case .terminal: return [.deliver(2), Self.ended(.completed, events: 2)]
    case .continuation, .request: return Self.accepted(3)
    case .cancel: return [Self.ended(.cancelled), .closeConnection(1, .abandoned), .dial(2, 0)]
    case .networkChange: return [.sendPing(1, id: 1)]
    case .reloadConnections, .reloadLanes: return [.dial(2, 0)]
    }
  }

  private func whileRetiring(_ input: Input) -> [Action] {
    switch input {
    case .opened, .terminate, .heard, .pong, .handedOver: return []
    case .error: return Array(whileBusy(.error).dropLast())
    case .unusable: return [.deliver(2)]
    case .pongMissing: return Array(whileBusy(.pongMissing).dropLast())
    case .reloadRemoved: return [.closeConnection(2, .reloaded)]
    case .lost: return [whileBusy(.lost)[0]]
    case .progress, .notice: return [.deliver(2)]
    case .terminal:
      return [.deliver(2), Self.ended(.completed, events: 2), .closeConnection(1, .reloaded)]
    case .continuation: return Self.accepted(3, Self.lost(3))
    case .request: return Self.accepted(3)
    case .cancel: return [Self.ended(.cancelled), .closeConnection(1, .abandoned)]
    case .networkChange: return [.sendPing(1, id: 1)]
    case .reloadConnections, .reloadLanes: return Self.replaced
    }
  }

  private func afterwards(_ input: Input) -> [Action] {
    switch input {
    case .opened, .lost, .progress, .terminal, .notice, .networkChange, .error, .unusable, .heard,
      .pong, .handedOver, .pongMissing:
      []
    case .reloadRemoved: [.closeConnection(2, .reloaded)]
    case .continuation: Self.accepted(3, Self.lost(3))
    case .request: Self.accepted(3)
    case .cancel: [Self.unknown]
    case .reloadConnections, .reloadLanes: Self.replaced
    case .terminate: [.stop]
    }
  }

  @Test(arguments: Stage.allCases, Input.allCases)
  func everyInputInEveryState(stage: Stage, input: Input) {
    var fixture = stage.fixture
    #expect(Stage(fixture.pool.connections[1]) == stage)
    #expect(perform(input, on: &fixture) == expected(input, in: stage))
  }

  @Test(arguments: Stage.allCases)
  func theHotPathIsForOpenConnections(stage: Stage) {
    var fixture = stage.fixture
    let expected: Broker.Progress =
      switch stage {
      case .busy, .retiring: .deliver(2)
      case .dialing, .idle, .closing, .gone: .unusual
      }
    #expect(fixture.progress(isText: true) == expected)
  }

  @Test(arguments: Stage.allCases)
  func aPingIsForOpenConnections(stage: Stage) {
    var fixture = stage.fixture
    let pings = fixture.deadline(at: 25_000).filter { $0 == .sendPing(1, id: 1) }
    switch stage {
    case .idle, .busy, .retiring: #expect(pings.count == 1)
    case .dialing, .closing, .gone: #expect(pings == [])
    }
  }
}

/// What comes with time alone.
extension BrokerConnectionTableTests {
  @Test(arguments: Stage.allCases)
  func theAgeIsForConnectionsThatMayGoOn(stage: Stage) {
    var fixture = stage.fixture
    let age = Int(fixture.pool.settings.limits.ageLimit / .milliseconds(1))
    let actions = fixture.deadline(at: age)
    switch stage {
    case .idle, .busy: #expect(actions.contains(.dial(2, 0)), "\(actions)")
    case .dialing: #expect(!actions.contains(.dial(2, 0)), "\(actions)")
    case .retiring, .closing, .gone: #expect(!actions.contains(.dial(3, 0)), "\(actions)")
    }
  }
}

/// Every state of a client with every input that names it.
@Suite struct BrokerClientTableTests {
  enum Stage: CaseIterable {
    case unknown, refused, idle, asking, draining, halfClosed, closing, gone

    /// Client 2 runs number 1; it is client 1 that the table is about.
    var fixture: BrokerFixture {
      var fixture = BrokerFixture.warm(clients: 0) {
        $0.connectionsWarm = 2
        $0.connectionsMax = 2
      }
      fixture.connect(2)
      fixture.run("o", response: "r1", as: 1, from: 2)
      switch self {
      case .unknown: return fixture
      case .refused:
        fixture.connect(1, uid: 1001)
        return fixture
      case .idle, .asking, .draining, .halfClosed, .closing, .gone: fixture.connect(1)
      }
      switch self {
      case .unknown, .refused, .idle: break
      case .asking: fixture.run("a", response: "r2", as: 2, on: 2)
      case .draining: fixture.drain(7)
      case .halfClosed:
        fixture.run("a", response: "r2", as: 2, on: 2)
        fixture.halfClose(1)
      case .closing: fixture.halfClose(1)
      case .gone: fixture.hangUp(1)
      }
      return fixture
    }
  }

  enum Input: CaseIterable {
    case request, cancel, control, halfClose, hangUp, drain, terminal, error, otherEnds
  }

  private func perform(_ input: Input, on fixture: inout BrokerFixture) -> [Action] {
    switch input {
    case .request: fixture.ask("b")
    case .cancel: fixture.cancel("a")
    case .control: fixture.control("a")
    case .halfClose: fixture.halfClose(1)
    case .hangUp: fixture.hangUp(1)
    case .drain: fixture.drain(8)
    case .terminal: fixture.event(.ended(.completed, "r2"), on: 2)
    case .error: fixture.broker.requestRefused(Self.invalid, from: 1)
    case .otherEnds: fixture.event(.ended(.completed, "r1"))
    }
  }

  private static let invalid = failure(.invalidJSON, origin: .client)
  private static let unknown = Action.refuse(
    1, failure(.unknownRequestID, origin: .client, param: "request_id"))
  private static let other: [Action] = [
    .deliver(1),
    .finish(
      1, nil, done(.completed, on: 1, reused: true, response: "r1", firstEvent: 0, events: 2)),
  ]
  private static let stray: [Action] = [.closeConnection(2, .unexpectedEvent)]

  private static func ended(_ outcome: Outcome, events: Int) -> Action {
    .finish(
      2, nil,
      done(outcome, on: 2, reused: true, response: "r2", firstEvent: 0, events: events))
  }

  private func expected(_ input: Input, in stage: Stage) -> [Action] {
    switch stage {
    case .unknown, .refused, .gone: withoutIt(input)
    case .idle: whileIdle(input)
    case .asking: whileAsking(input)
    case .draining: whileDraining(input)
    case .halfClosed: afterItsLastLine(input)
    case .closing: whileClosing(input)
    }
  }

  private func withoutIt(_ input: Input) -> [Action] {
    switch input {
    case .request, .halfClose, .hangUp, .drain: []
    case .cancel, .control: [Self.unknown]
    case .terminal: Self.stray
    case .error: [.refuse(1, Self.invalid)]
    case .otherEnds: Self.other
    }
  }

  private func whileIdle(_ input: Input) -> [Action] {
    switch input {
    case .request: [.accept(2, madeID: nil), .send(2, on: 2, lane: nil)]
    case .cancel, .control: [Self.unknown]
    case .halfClose: [.closeClient(1)]
    case .hangUp, .drain: []
    case .terminal: Self.stray
    case .error: [.refuse(1, Self.invalid)]
    case .otherEnds: Self.other
    }
  }

  private func whileAsking(_ input: Input) -> [Action] {
    switch input {
    case .request: [.accept(3, madeID: nil)]
    case .cancel, .hangUp:
      [Self.ended(.cancelled, events: 1), .closeConnection(2, .abandoned), .dial(3, 0)]
    case .control: [.forward(2, on: 2, responseID: "r2")]
    case .halfClose, .drain: []
    case .terminal: [.deliver(2), Self.ended(.completed, events: 2)]
    case .error: [.refuse(1, Self.invalid)]
    case .otherEnds: Self.other
    }
  }

  private func whileDraining(_ input: Input) -> [Action] {
    switch input {
    case .request: [.refuse(1, failure(.shuttingDown, retryable: true))]
    case .cancel, .control: [Self.unknown]
    case .halfClose, .hangUp, .drain: []
    case .terminal: Self.stray
    case .error: [.refuse(1, Self.invalid)]
    case .otherEnds: Self.other + [.answer(7, nil)]
    }
  }

  /// What it asked for is finished, and then it is closed.
  private func afterItsLastLine(_ input: Input) -> [Action] {
    switch input {
    case .request: [.accept(3, madeID: nil)]
    case .cancel:
      [
        Self.ended(.cancelled, events: 1), .closeConnection(2, .abandoned), .closeClient(1),
        .dial(3, 0),
      ]
    case .hangUp:
      [Self.ended(.cancelled, events: 1), .closeConnection(2, .abandoned), .dial(3, 0)]
    case .control: [.forward(2, on: 2, responseID: "r2")]
    case .halfClose, .drain: []
    case .terminal: [.deliver(2), Self.ended(.completed, events: 2), .closeClient(1)]
    case .error: [.refuse(1, Self.invalid)]
    case .otherEnds: Self.other
    }
  }

  private func whileClosing(_ input: Input) -> [Action] {
    switch input {
    case .request: [.accept(2, madeID: nil), .send(2, on: 2, lane: nil)]
    case .cancel, .control: [Self.unknown]
    case .halfClose, .hangUp, .drain: []
    case .terminal: Self.stray
    case .error: [.refuse(1, Self.invalid)]
    case .otherEnds: Self.other
    }
  }

  @Test(arguments: Stage.allCases, Input.allCases)
  func everyInputInEveryState(stage: Stage, input: Input) {
    var fixture = stage.fixture
    #expect(perform(input, on: &fixture) == expected(input, in: stage))
  }
}

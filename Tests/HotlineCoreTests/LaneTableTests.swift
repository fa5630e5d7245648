import Testing

@testable import HotlineCore

/// Every state of a lane with every kind of event, while another response runs beside it.
@Suite struct LaneTableTests {
  /// Lane 0 runs number 1 all the time; it is lane 1 that the table is about, and number 2.
  enum Stage: CaseIterable {
    case idle, sent, handedOver, begun, abandonedUnsent, abandonedSent, abandonedBegun, spent

    init(_ state: Lane.State) {
      switch state {
      case .idle: self = .idle
      case .busy(let running):
        self = running.hasResponse ? .begun : running.isHandedOver ? .handedOver : .sent
      case .warming: preconditionFailure("lane 0 of a new connection alone warms up")
      case .abandoned(let running, _):
        self =
          running.hasResponse
          ? .abandonedBegun : running.isHandedOver ? .abandonedSent : .abandonedUnsent
      case .spent: self = .spent
      }
    }

    var fixture: BrokerFixture {
      var fixture = BrokerFixture.running(1, of: 2)
      switch self {
      case .idle: break
      case .sent, .abandonedUnsent: fixture.ask("q2", from: 2)
      case .handedOver, .abandonedSent:
        fixture.ask("q2", from: 2)
        fixture.handedOver(2)
      case .begun, .abandonedBegun, .spent:
        fixture.run("q2", response: "r2", as: 2, lane: .lane(1), from: 2)
      }
      switch self {
      case .idle, .sent, .handedOver, .begun: break
      case .abandonedUnsent, .abandonedSent, .abandonedBegun: fixture.cancel("q2", by: 2)
      case .spent: fixture.event(.error("bad").of(.lane(1)))
      }
      return fixture
    }

    /// What a loss says of number 2.
    var lost: [Action] {
      let unknown = failure(
        .upstreamProtocol, origin: .upstream, sent: .unknown, retryable: true)
      switch self {
      case .handedOver: return [.finish(2, unknown, done(.error, on: 1, reused: true))]
      case .begun: return [BrokerFixture.ended(1, .error, with: BrokerFixture.violated)]
      case .idle, .sent, .abandonedUnsent, .abandonedSent, .abandonedBegun, .spent: return []
      }
    }
  }

  enum Kind: CaseIterable {
    case unknown, progress, created, another, text, terminal, error, refusal, notice, unusable

    var event: EventFacts {
      switch self {
      case .unknown: .unknown
      case .progress: .progress
      case .created: .created("r2")
      case .another: .created("r9")
      case .text: .text
      case .terminal: .ended(.completed, "r2")
      case .error: .error("bad")
      case .refusal: .error("session_expired")
      case .notice: .notice
      case .unusable: .unusable
      }
    }
  }

  private func expected(_ kind: Kind, in stage: Stage) -> [Action] {
    switch stage {
    case .idle, .sent, .abandonedUnsent: whereNothingRuns(kind, stage)
    case .handedOver: beforeTheResponse(kind)
    case .begun: inTheResponse(kind)
    case .abandonedSent, .abandonedBegun: whereNobodyListens(kind, stage)
    case .spent: []
    }
  }

  /// Nothing on the connection can be trusted any more.
  private func violation(
    _ stage: Stage, _ reason: CloseReason = .unexpectedEvent
  ) -> [Action] {
    [BrokerFixture.ended(0, .error, with: BrokerFixture.violated)] + stage.lost
      + [.closeConnection(1, reason), .dial(2, 0)]
  }

  private func whereNothingRuns(_ kind: Kind, _ stage: Stage) -> [Action] {
    switch kind {
    case .notice: []
    case .refusal: violation(stage, .refusedByServer)
    case .unknown, .progress, .created, .another, .text, .terminal, .error, .unusable:
      violation(stage)
    }
  }

  private func beforeTheResponse(_ kind: Kind) -> [Action] {
    switch kind {
    case .unknown, .progress, .created, .another, .text, .notice, .unusable: return [.deliver(2)]
    case .terminal:
      return [
        .deliver(2),
        .finish(
          2, nil,
          done(.completed, on: 1, reused: true, response: "r2", firstEvent: 0, events: 1)),
      ]
    case .error:
      let end = done(.error, on: 1, reused: true, firstEvent: 0, events: 1)
      return [.deliver(2), .finish(2, nil, end)]
    // The connection ends when the other response has.
    case .refusal: return [.dial(2, 0)]
    }
  }

  private func inTheResponse(_ kind: Kind) -> [Action] {
    switch kind {
    case .unknown, .progress, .created, .text, .notice, .unusable: [.deliver(2)]
    case .another: violation(.begun)
    case .terminal: [.deliver(2), BrokerFixture.ended(1, .completed, events: 2)]
    case .error, .refusal:
      [.deliver(2), BrokerFixture.ended(1, .error, events: 2), .dial(2, 0)]
    }
  }

  private func whereNobodyListens(_ kind: Kind, _ stage: Stage) -> [Action] {
    switch kind {
    case .unknown, .progress, .created, .text, .terminal, .notice, .unusable: []
    case .another: stage == .abandonedBegun ? violation(stage) : []
    case .error, .refusal: [.dial(2, 0)]
    }
  }

  @Test(arguments: Stage.allCases, Kind.allCases)
  func everyEventInEveryState(stage: Stage, kind: Kind) throws {
    var fixture = stage.fixture
    let lane = try #require(fixture.pool.connections[1]?.lanes[1])
    #expect(Stage(lane.state) == stage)
    #expect(fixture.event(kind.event.of(.lane(1))) == expected(kind, in: stage))
  }

  @Test(arguments: Stage.allCases, [true, false])
  func theHotPathIsForResponsesThatHaveBegun(stage: Stage, isText: Bool) {
    var fixture = stage.fixture
    #expect(
      fixture.progress(isText: isText, lane: .lane(1))
        == (stage == .begun ? .deliver(2) : .unusual))
  }

  /// What the lane answers of itself: quiet, idle, spent, free, occupied, running.
  @Test(arguments: Stage.allCases)
  func everyStateIsTheOneThatItSays(stage: Stage) throws {
    let lane = try #require(stage.fixture.pool.connections[1]?.lanes[1])
    let expected: [Bool] =
      switch stage {
      case .idle: [true, true, false, true, false, false]
      case .sent, .handedOver, .begun: [false, false, false, false, true, true]
      case .abandonedUnsent, .abandonedSent, .abandonedBegun:
        [false, false, false, false, true, false]
      case .spent: [true, false, true, false, false, false]
      }
    #expect(
      [
        lane.isQuiet, lane.isIdle, lane.isSpent, lane.isFree, lane.occupant != nil,
        lane.running != nil,
      ] == expected)
  }

  enum Input: CaseIterable {
    case cancel, timeout, slowReader, handOver, giveUp, lost, otherEnds
  }

  private func perform(_ input: Input, on fixture: inout BrokerFixture) -> [Action] {
    switch input {
    case .cancel: return fixture.cancel("q2", by: 2)
    case .timeout: return fixture.deadline(at: 3_000 + 30 * 60_000)
    case .slowReader: return fixture.event(.unusable.of(.lane(1)), unread: 16 << 20)
    case .handOver:
      fixture.handedOver(2)
      return []
    case .giveUp: return fixture.deadline(at: 3_000 + 60_000).filter { !$0.isPing }
    case .lost: return fixture.closed(1, .reset)
    case .otherEnds: return fixture.endOnLane(0)
    }
  }

  /// The next state of the lane; nil where its connection is gone, or closing.
  private func next(_ input: Input, in stage: Stage) -> Stage? {
    switch (input, stage) {
    case (.lost, _): nil
    case (.otherEnds, .spent): nil
    case (.otherEnds, _): stage
    case (.cancel, .sent): .abandonedUnsent
    case (.cancel, .handedOver): .abandonedSent
    case (.cancel, .begun): .abandonedBegun
    case (.cancel, .idle), (.cancel, .abandonedUnsent), (.cancel, .abandonedSent),
      (.cancel, .abandonedBegun), (.cancel, .spent):
      stage
    case (.slowReader, .handedOver): .abandonedSent
    case (.slowReader, .begun): .abandonedBegun
    case (.slowReader, .idle), (.slowReader, .sent), (.slowReader, .abandonedUnsent): nil
    case (.slowReader, .abandonedSent), (.slowReader, .abandonedBegun), (.slowReader, .spent): stage
    case (.handOver, .sent): .handedOver
    case (.handOver, .abandonedUnsent): .abandonedSent
    case (.handOver, .idle), (.handOver, .handedOver), (.handOver, .begun),
      (.handOver, .abandonedSent), (.handOver, .abandonedBegun), (.handOver, .spent):
      stage
    case (.giveUp, .abandonedUnsent), (.giveUp, .abandonedSent), (.giveUp, .abandonedBegun): .spent
    case (.giveUp, .idle), (.giveUp, .sent), (.giveUp, .handedOver), (.giveUp, .begun),
      (.giveUp, .spent):
      stage
    // Both requests end, and nothing that is wanted is left: only draining ones are.
    case (.timeout, .idle): .idle
    case (.timeout, .sent): .abandonedUnsent
    case (.timeout, .handedOver): .abandonedSent
    case (.timeout, .begun): .abandonedBegun
    case (.timeout, .abandonedUnsent), (.timeout, .abandonedSent), (.timeout, .abandonedBegun),
      (.timeout, .spent):
      nil
    }
  }

  @Test(arguments: Stage.allCases, Input.allCases)
  func everyOtherInputInEveryState(stage: Stage, input: Input) {
    // No ping comes between, and no age.
    var fixture = stage.fixture
    fixture.reload {
      $0[0].settings.limits.pingInterval = .seconds(100_000)
      $0[0].settings.limits.idleLimit = .seconds(100_000)
      $0[0].settings.limits.ageLimit = .seconds(100_000)
    }
    fixture.heard(1)
    _ = perform(input, on: &fixture)
    let connection = fixture.pool.connections[1].flatMap { $0.isOpen ? $0 : nil }
    #expect(connection.map { Stage($0.lanes[1].state) } == next(input, in: stage))
  }
}

extension Action {
  var isPing: Bool {
    if case .sendPing = self { return true }
    return false
  }
}

/// What is known of a server's lanes, and every first event that may tell more.
@Suite struct LaneEchoTableTests {
  enum Echo: CaseIterable {
    case unknown, present, absent

    init?(_ echo: UpstreamConnection.LaneEcho?) {
      switch echo {
      case .unknown: self = .unknown
      case .present: self = .present
      case .absent: self = .absent
      case nil: return nil
      }
    }
  }

  static let references: [LaneReference] = [.none, .lane(0), .lane(1), .lane(9), .unknown]

  private static let violated: [Action] = [
    .finish(
      1, failure(.upstreamProtocol, origin: .upstream, sent: .unknown, retryable: true),
      done(.error, on: 1, reused: true)),
    .closeConnection(1, .unexpectedEvent), .dial(2, 0),
  ]
  private static let returned: [Action] = [.closeConnection(1, .unexpectedEvent), .dial(2, 0)]

  @Test(arguments: references, [true, false])
  func theFirstEventOfTheFirstResponseTells(reference: LaneReference, isResponse: Bool) {
    var fixture = BrokerFixture.lanes(2)
    #expect(fixture.ask("a") == [.accept(1, madeID: nil), .send(1, on: 1, lane: 0)])
    fixture.handedOver(1)
    let event = isResponse ? EventFacts.created("r1") : .unknown
    let expected: (echo: UpstreamConnection.LaneEcho, actions: [Action]) =
      switch reference {
      case .none where isResponse: (.absent, [.giveUpLanes(0), .deliver(1)])
      case .none: (.unknown, [.deliver(1)])
      case .lane(0): (isResponse ? .present : .unknown, [.deliver(1)])
      case .lane, .unknown: (.unknown, Self.violated)
      }
    #expect(fixture.event(event.of(reference)) == expected.actions)
    #expect(fixture.echo() == expected.echo)
    #expect(fixture.pool.laneEcho == expected.echo)
  }

  @Test(arguments: references, [true, false])
  func nothingIsLearntBeforeTheHandOver(reference: LaneReference, isResponse: Bool) {
    var fixture = BrokerFixture.lanes(2)
    fixture.ask("a")
    let event = isResponse ? EventFacts.created("r1") : .unknown
    let isIgnored = reference == .none && !isResponse
    #expect(fixture.event(event.of(reference)) == (isIgnored ? [] : Self.returned))
    #expect(fixture.echo() == .unknown)
  }

  @Test(arguments: references)
  func aServerThatKnowsLanesNamesThemForGood(reference: LaneReference) {
    var fixture = BrokerFixture.running(1, of: 2)
    #expect(Echo(fixture.echo()) == .present)
    let isOwn = reference == .lane(0)
    let expected =
      isOwn
      ? [.deliver(1)]
      : [
        BrokerFixture.ended(0, .error, with: BrokerFixture.violated),
        .closeConnection(1, .unexpectedEvent), .dial(2, 0),
      ]
    #expect(fixture.event(.text.of(reference)) == expected)
    #expect(Echo(fixture.echo()) == .present)
  }

  @Test(arguments: references)
  func aServerThatKnowsNoLanesMayNameWhatItLikes(reference: LaneReference) {
    var fixture = BrokerFixture.lanes(2)
    fixture.run("a", response: "r1", as: 1)
    #expect(Echo(fixture.echo()) == .absent)
    #expect(fixture.event(.text.of(reference)) == [.deliver(1)])
    #expect(Echo(fixture.echo()) == .absent)
  }

  @Test(arguments: Echo.allCases, references)
  func theHotPathGoesByTheLane(echo: Echo, reference: LaneReference) {
    var fixture = BrokerFixture.lanes(2)
    let expected: Broker.Progress
    switch echo {
    case .unknown:
      fixture.ask("a")
      fixture.handedOver(1)
      expected = .unusual
    case .present:
      fixture.runOnLane(0)
      expected = reference == .lane(0) ? .deliver(1) : .unusual
    case .absent:
      fixture.run("a", response: "r1", as: 1)
      // A name that was never given is nothing for the hot path.
      expected = reference == .none ? .deliver(1) : .unusual
    }
    #expect(Echo(fixture.echo()) == echo)
    #expect(fixture.progress(isText: true, lane: reference) == expected)
  }
}

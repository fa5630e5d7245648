import Testing

@testable import HotlineCore

@Suite struct BrokerLaneTests {
  // MARK: Side by side

  @Test func severalResponsesRunSideBySide() {
    var fixture = BrokerFixture.lanes(3)
    #expect(fixture.ask("q1") == [.accept(1, madeID: nil), .send(1, on: 1, lane: 0)])
    #expect(fixture.ask("q2") == [.accept(2, madeID: nil)])
    fixture.handedOver(1)
    #expect(
      fixture.event(.created("r1").of(.lane(0))) == [.deliver(1), .send(2, on: 1, lane: 1)])
    #expect(
      fixture.ask("q3", from: 2) == [.accept(3, madeID: nil), .send(3, on: 1, lane: 2)])
    #expect(fixture.ask("q4") == [.accept(4, madeID: nil)])
    fixture.handedOver(2)
    fixture.handedOver(3)
    #expect(fixture.event(.created("r3").of(.lane(2))) == [.deliver(3)])
    #expect(fixture.event(.created("r2").of(.lane(1))) == [.deliver(2)])
    #expect(fixture.event(.text.of(.lane(0))) == [.deliver(1)])
    #expect(fixture.progress(isText: true, lane: .lane(1)) == .deliver(2))
    #expect(fixture.progress(isText: true, lane: .lane(2)) == .deliver(3))
    #expect(
      fixture.endOnLane(1) == [
        .deliver(2),
        .finish(
          2, nil,
          done(
            .completed, on: 1, reused: true, response: "r2", firstEvent: 0, firstText: 0,
            events: 3)),
        .send(4, on: 1, lane: 1),
      ])
  }

  @Test func untilTheServerHasNamedALaneOneResponseRuns() {
    var fixture = BrokerFixture.lanes(4)
    #expect(fixture.ask("a").last == .send(1, on: 1, lane: 0))
    #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
    fixture.handedOver(1)
    #expect(fixture.event(.unknown) == [.deliver(1)])
    #expect(fixture.event(.notice) == [.deliver(1)])
    #expect(fixture.echo() == .unknown)
    // Its end is the first that names its lane.
    #expect(
      fixture.event(.ended(.completed, "r1").of(.lane(0))).last == .send(2, on: 1, lane: 1))
    #expect(fixture.echo() == .present)
    #expect(fixture.ask("c") == [.accept(3, madeID: nil), .send(3, on: 1, lane: 2)])
  }

  @Test(arguments: 1...LaneName.countMax)
  func asManyResponsesRunAsThereAreLanesAndNoMore(count: Int) {
    var fixture = BrokerFixture.running(count, of: count)
    #expect(fixture.ask("more") == [.accept(RequestNumber(UInt64(count + 1)), madeID: nil)])
    #expect(
      fixture.endOnLane(count - 1).last
        == .send(RequestNumber(UInt64(count + 1)), on: 1, lane: count == 1 ? nil : count - 1))
  }

  @Test func aConnectionOfOneLaneNamesNone() {
    var fixture = BrokerFixture.lanes(1)
    #expect(fixture.ask("a") == [.accept(1, madeID: nil), .send(1, on: 1, lane: nil)])
    fixture.handedOver(1)
    #expect(fixture.event(.created("r1").of(.lane(0))) == [.deliver(1)])
    #expect(fixture.echo() == .unknown)
    #expect(fixture.control("a") == [.forward(1, on: 1, responseID: "r1")])
  }

  @Test func controlMessagesNameTheResponseOfTheirRequestAndNoLane() {
    var fixture = BrokerFixture.running(3, of: 3)
    #expect(fixture.control("q2") == [.forward(2, on: 1, responseID: "r2")])
    #expect(fixture.control("q3") == [.forward(3, on: 1, responseID: "r3")])
  }

  @Test func whatEndedOnEachLaneIsKnownOfThatLaneOnly() {
    var fixture = BrokerFixture.running(2, of: 2)
    fixture.endOnLane(0)
    fixture.endOnLane(1)
    fixture.ask("c")
    fixture.handedOver(3)
    // Lane 0 has not ended `r2`: a server may name its responses as it likes.
    #expect(fixture.event(.created("r2").of(.lane(0))) == [.deliver(3)])
  }

  @Test func theSnapshotTellsLanesAndHowManyAreBusy() {
    var fixture = BrokerFixture.running(2, of: 3)
    fixture.cancel("q2")
    let connection = fixture.broker.snapshot(at: t(3_000)).upstreams[0].connections[0]
    #expect(connection.lanes == 3)
    #expect(connection.lanesBusy == 2)
    #expect(connection.state == .busy)
  }

  // MARK: Servers that know no lanes

  @Test func aServerThatNamesNoLaneGetsNoneFromThenOn() {
    var fixture = BrokerFixture.lanes(3)
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.echo() == .absent)
    #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
    #expect(fixture.progress(isText: true) == .deliver(1))
    #expect(fixture.event(.ended()).last == .send(2, on: 1, lane: nil))
    fixture.handedOver(2)
    fixture.event(.created("r2"))
    #expect(fixture.control("b") == [.forward(2, on: 1, responseID: "r2")])
  }

  @Test func thatAServerKnowsNoLanesIsSaidOnceUntilAReload() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
      $0.lanes = 3
    }
    func shown() -> Snapshot.Upstream.LaneNames {
      fixture.broker.snapshot(at: t(0)).upstreams[0].laneNames
    }
    #expect(shown() == .unknown)
    for id in ["a", "b"] as [ByteString] { fixture.ask(id) }
    for number in [1, 2] as [RequestNumber] { fixture.handedOver(number) }
    #expect(fixture.event(.created("r1")) == [.giveUpLanes(0), .deliver(1)])
    #expect(shown() == .absent)
    #expect(fixture.event(.created("r2"), on: 2) == [.deliver(2)])
    fixture.event(.ended(.completed, "r1"))
    fixture.event(.ended(.completed, "r2"), on: 2)
    fixture.reload()
    #expect(shown() == .unknown)
    fixture.reload { $0[0].settings.limits.lanes = 1 }
    #expect(shown() == .off)
  }

  @Test func connectionsThatWereNotAskedYetNameNoLaneEither() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
      $0.lanes = 3
    }
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.echo(of: 2) == .unknown)
    #expect(fixture.ask("b") == [.accept(2, madeID: nil), .send(2, on: 2, lane: nil)])
    fixture.handedOver(2)
    #expect(fixture.event(.created("r2"), on: 2) == [.deliver(2)])
    #expect(fixture.echo(of: 2) == .absent)
  }

  @Test func newConnectionsOfSuchAServerHaveOneLaneUntilAReload() {
    var fixture = BrokerFixture.lanes(3)
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.closed(1, .reset).last == .dial(2, 0))
    #expect(fixture.pool.connections[2]?.lanes.count == 1)
    fixture.opened(2)
    fixture.reload()
    #expect(fixture.closed(2, .reset) == [])
    #expect(fixture.pass(to: 4_000) == [.dial(3, 0)])
    #expect(fixture.pool.connections[3]?.lanes.count == 3)
  }

  @Test func newConnectionsOfAServerThatKnowsLanesAreAskedAgain() {
    var fixture = BrokerFixture.running(2, of: 3)
    fixture.closed(1, .reset)
    fixture.opened(2)
    #expect(fixture.echo(of: 2) == .unknown)
    #expect(fixture.ask("a").last == .send(3, on: 2, lane: 0))
    #expect(fixture.ask("b") == [.accept(4, madeID: nil)])
  }

  // MARK: The name of the lane is refused

  private static func refusedName(_ reference: LaneReference = .none) -> EventFacts {
    var event = EventFacts.error("unknown_parameter", "Unknown parameter: 'stream_id'.")
    event.errorParam = "stream_id"
    return event.of(reference)
  }

  @Test(arguments: [LaneReference.none, .lane(0)], [0, 3_000])
  func aRefusedNameIsNotAskedForAgain(reference: LaneReference, openFor: Int) {
    var fixture = BrokerFixture.single { $0.lanes = 3 }
    fixture.pass(to: openFor)
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(
      fixture.event(Self.refusedName(reference)) == [
        .giveUpLanes(0), .closeConnection(1, .refusedByServer), .dial(2, 0),
      ])
    #expect(fixture.opened(2, at: openFor + 10) == [.send(1, on: 2, lane: nil)])
    #expect(fixture.pool.connections[2]?.lanes.count == 1)
    fixture.handedOver(1)
    #expect(fixture.event(.created("r1"), on: 2) == [.deliver(1)])
    #expect(
      fixture.event(.ended(.completed, "r1"), on: 2).last
        == .finish(
          1, nil,
          done(
            .completed, on: 2, reused: false, resent: true, response: "r1", queued: 10,
            firstEvent: 10, total: 10, events: 2)))
    #expect(fixture.broker.counters.requestsResent == 1)
  }

  @Test func connectionsThatAreOpenAlreadyAreUsedWithoutNames() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2
      $0.connectionsMax = 2
      $0.lanes = 3
    }
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(
      fixture.event(Self.refusedName()) == [
        .giveUpLanes(0), .closeConnection(1, .refusedByServer), .send(1, on: 2, lane: nil),
        .dial(3, 0),
      ])
  }

  @Test func aRequestThatWasSentTwiceIsToldOfIt() {
    var fixture = BrokerFixture.lanes(3)
    fixture.ask("a") { $0.resendsUnanswered = true }
    fixture.handedOver(1)
    fixture.closed(1, .reset)
    fixture.opened(2)
    fixture.handedOver(1)
    #expect(
      fixture.event(Self.refusedName(), on: 2) == [
        .giveUpLanes(0), .deliver(1),
        .finish(1, nil, done(.error, on: 2, reused: true, resent: true, firstEvent: 0, events: 1)),
      ])
  }

  @Test func onceAServerHasNamedALaneSuchAnErrorIsTheRequestsOwn() {
    var fixture = BrokerFixture.running(1, of: 3)
    fixture.ask("q2")
    fixture.handedOver(2)
    #expect(
      fixture.event(Self.refusedName(.lane(1))) == [
        .deliver(2),
        .finish(2, nil, done(.error, on: 1, reused: true, firstEvent: 0, events: 1)),
      ])
    #expect(fixture.pool.laneEcho == .present)
  }

  @Test func withoutANameAnErrorAboutItIsTheRequestsOwn() {
    var fixture = BrokerFixture.lanes(1)
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(
      fixture.event(Self.refusedName()) == [
        .deliver(1),
        .finish(1, nil, done(.error, on: 1, reused: true, firstEvent: 0, events: 1)),
      ])
  }

  // MARK: How many connections

  @Test func aServerThatKnowsLanesIsDialledForAsManyAsItCanCarry() {
    var fixture = BrokerFixture.running(4, of: 4) { $0.connectionsMax = 8 }
    fixture.opened(2)
    fixture.opened(3)
    // Two have a free lane each; the others are for what waits.
    #expect(fixture.pool.connections.count <= 3)
    var pool = UpstreamPool(
      index: 0,
      settings: UpstreamSettings(
        name: "up",
        limits: {
          var limits = UpstreamLimits()
          limits.lanes = 4
          return limits
        }()), seed: 1)
    var next: UInt64 = 1
    pool.laneEcho = .present
    #expect(
      pool.balance(waiting: 8, next: &next, at: t(0)) == [.dial(1, 0), .dial(2, 0), .dial(3, 0)])
    pool.laneEcho = .absent
    #expect(pool.balance(waiting: 8, next: &next, at: t(0)) == [.dial(4, 0)])
  }
}

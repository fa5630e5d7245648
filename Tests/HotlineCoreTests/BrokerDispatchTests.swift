import Testing

@testable import HotlineCore

@Suite struct BrokerDispatchTests {
  @Test func theWarmConnectionsAreDialledAtTheStart() {
    var fixture = BrokerFixture { $0.connectionsWarm = 3 }
    #expect(fixture.start() == [.dial(1, 0), .dial(2, 0), .dial(3, 0)])
    #expect(fixture.opened(1) == [])
    #expect(fixture.opened(3) == [])
    #expect(fixture.opened(2) == [])
    #expect(fixture.broker.counters.connectionsDialed == 3)
    #expect(fixture.broker.counters.connectionsOpened == 3)
  }

  @Test func everyUpstreamIsWarmed() {
    let settings = ["a", "b"].map { UpstreamSettings(name: $0) }
    var fixture = BrokerFixture(upstreams: settings)
    #expect(fixture.start() == [.dial(1, 0), .dial(2, 1)])
  }

  @Test func aRequestGoesToTheWarmConnectionAtOnceAndThatOneIsReplaced() {
    var fixture = BrokerFixture.warm()
    #expect(
      fixture.ask("a") == [.accept(1, madeID: nil), .send(1, on: 1, lane: nil), .dial(2, 0)])
    #expect(fixture.opened(2) == [])
    #expect(
      fixture.ask("b") == [.accept(2, madeID: nil), .send(2, on: 2, lane: nil), .dial(3, 0)])
  }

  @Test func aWholeRequestEndsWithOneLastLine() {
    var fixture = BrokerFixture.single()
    #expect(
      fixture.ask("a", at: 100) == [.accept(1, madeID: nil), .send(1, on: 1, lane: nil)])
    fixture.handedOver(1)
    #expect(fixture.event(.created("resp"), at: 110) == [.deliver(1)])
    #expect(fixture.event(.text, at: 120) == [.deliver(1)])
    #expect(
      fixture.event(.ended(.completed, "resp", usage: "{}"), at: 130) == [
        .deliver(1),
        .finish(
          1, nil,
          done(
            .completed, on: 1, reused: true, response: "resp", usage: "{}", firstEvent: 10,
            firstText: 20, total: 30, events: 3)),
      ])
    #expect(fixture.broker.requests.isEmpty)
    #expect(fixture.broker.counters.requestsEnded == [.completed: 1])
    #expect(fixture.broker.counters.eventsDelivered == 3)
  }

  @Test(arguments: [Outcome.completed, .incomplete, .failed, .cancelled])
  func aTerminalEventDecidesTheOutcome(outcome: Outcome) {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "resp", as: 1)
    let completion = done(
      outcome, on: 1, reused: true, response: "resp", firstEvent: 0, events: 2)
    #expect(fixture.event(.ended(outcome)) == [.deliver(1), .finish(1, nil, completion)])
    #expect(fixture.ask("b") == [.accept(2, madeID: nil), .send(2, on: 1, lane: nil)])
  }

  @Test func theTerminalEventHandsTheConnectionToTheNext() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "resp", as: 1)
    #expect(fixture.ask("b", at: 10) == [.accept(2, madeID: nil)])
    let completion = done(
      .completed, on: 1, reused: true, response: "resp", firstEvent: 0, total: 20, events: 2)
    #expect(
      fixture.event(.ended(), at: 20) == [
        .deliver(1), .finish(1, nil, completion), .send(2, on: 1, lane: nil),
      ])
  }

  @Test func connectionsGrowUpToTheirMaximum() {
    var fixture = BrokerFixture.warm { $0.connectionsMax = 2 }
    #expect(
      fixture.ask("a") == [.accept(1, madeID: nil), .send(1, on: 1, lane: nil), .dial(2, 0)])
    fixture.opened(2)
    #expect(fixture.ask("b") == [.accept(2, madeID: nil), .send(2, on: 2, lane: nil)])
    #expect(fixture.ask("c") == [.accept(3, madeID: nil)])
  }

  @Test func noMoreDialsAtOnceThanDialsMax() {
    var fixture = BrokerFixture { $0.dialsMax = 2 }
    #expect(fixture.start() == [.dial(1, 0)])
    #expect(fixture.ask("a") == [.accept(1, madeID: nil), .dial(2, 0)])
    #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
    #expect(fixture.opened(1) == [.send(1, on: 1, lane: nil), .dial(3, 0)])
    #expect(fixture.opened(2) == [.send(2, on: 2, lane: nil)])
  }

  @Test func aDialThatIsNoLongerNeededIsKeptAsASpare() {
    var fixture = BrokerFixture.warm()
    fixture.run("a", response: "resp", as: 1)
    fixture.event(.ended())
    #expect(fixture.opened(2) == [])
    #expect(fixture.pool.connections.count == 2)
  }

  @Test func aRequestThatWaitedForTheHandshakeIsNotReused() {
    var fixture = BrokerFixture { $0.connectionsMax = 1 }
    fixture.start()
    #expect(fixture.ask("a", at: 10) == [.accept(1, madeID: nil)])
    #expect(fixture.opened(1, at: 60) == [.send(1, on: 1, lane: nil)])
    fixture.handedOver(1)
    let completion = done(
      .completed, on: 1, reused: false, response: "resp", queued: 50, firstEvent: 60, total: 60,
      events: 1)
    #expect(
      fixture.event(.ended(.completed, "resp"), at: 70) == [
        .deliver(1), .finish(1, nil, completion),
      ])
  }

  @Test func aConnectionWhoseResponseMayBeContinuedIsTakenLast() {
    var fixture = BrokerFixture.warm { $0.connectionsWarm = 2 }
    fixture.run("a", response: "resp", as: 1)
    fixture.event(.ended(.completed, "resp"), at: 10)
    #expect(fixture.ask("b", at: 20).contains(.send(2, on: 2, lane: nil)))
  }

  @Test func amongChainsTheOneIdleLongestIsTaken() {
    var fixture = BrokerFixture.warm {
      $0.connectionsWarm = 2; $0.connectionsMax = 2
    }
    fixture.run("a", response: "r1", as: 1, on: 1)
    fixture.run("b", response: "r2", as: 2, on: 2)
    fixture.event(.ended(.completed, "r2"), on: 2, at: 10)
    fixture.event(.ended(.completed, "r1"), on: 1, at: 20)
    #expect(fixture.ask("c", at: 30) == [.accept(3, madeID: nil), .send(3, on: 2, lane: nil)])
  }

  @Test func staleInputsOfUnknownConnectionsAreIgnored() {
    var fixture = BrokerFixture.single()
    #expect(fixture.opened(9) == [])
    #expect(fixture.opened(1) == [])
    #expect(fixture.closed(9, .reset) == [])
    #expect(fixture.event(.text, on: 9) == [])
    #expect(fixture.progress(isText: true, on: 9) == .unusual)
    fixture.heard(9)
    #expect(fixture.pong(9, id: 1) == [])
    fixture.handedOver(9)
    #expect(fixture.pool.connections.count == 1)
  }
}

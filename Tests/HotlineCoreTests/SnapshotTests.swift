import Testing

@testable import HotlineCore

@Suite struct SnapshotTests {
  private func upstream(_ fixture: BrokerFixture, at instant: Int? = nil) -> Snapshot.Upstream {
    fixture.broker.snapshot(at: t(instant ?? fixture.now)).upstreams[0]
  }

  @Test(arguments: BrokerConnectionTableTests.Stage.allCases)
  func everyStateOfAConnectionIsShown(stage: BrokerConnectionTableTests.Stage) {
    let connections = upstream(stage.fixture).connections
    let first = connections.first { $0.number == 1 }
    let expected: Snapshot.Connection.State? =
      switch stage {
      case .dialing: .dialing
      case .idle: .ready
      case .busy: .busy
      case .retiring: .retiring
      case .closing: .closing
      case .gone: nil
      }
    #expect(first?.state == expected)
    #expect(upstream(stage.fixture).count(.dialing) == connections.count { $0.state == .dialing })
  }

  @Test func whatIsIdleSaysForHowLong() throws {
    var fixture = BrokerFixture.single()
    fixture.serve("a", response: "r1", as: 1)
    let idle = try #require(upstream(fixture, at: 5_000).connections.first)
    #expect(idle.idle == .seconds(5))
    #expect(idle.age == .seconds(5))
    #expect(idle.responsesServed == 1)
    #expect(idle.roundTrip == nil)
    fixture.run("b", response: "r2", as: 2)
    let busy = try #require(upstream(fixture, at: 6_000).connections.first)
    #expect(busy.idle == nil)
    #expect(busy.lanes == 1)
    #expect(busy.lanesBusy == 1)
  }

  @Test func theAgeOfADialCountsFromItsBeginning() throws {
    var fixture = BrokerFixture()
    fixture.start(at: 1_000)
    let dialing = try #require(upstream(fixture, at: 3_000).connections.first)
    #expect(dialing.age == .seconds(2))
    #expect(dialing.idle == nil)
    fixture.opened(1, at: 4_000)
    #expect(upstream(fixture, at: 5_000).connections.first?.age == .seconds(1))
  }

  @Test func everyStateOfAnUpstreamIsShown() {
    var fixture = BrokerFixture()
    #expect(upstream(fixture).state == .connecting)
    fixture.start()
    #expect(upstream(fixture).state == .connecting)
    fixture.closed(1, .refused)
    #expect(upstream(fixture).state == .backoff)
    #expect(upstream(fixture).lastFailure == .refused)
    fixture.pass(to: 500)
    fixture.opened(2)
    #expect(upstream(fixture).state == .ok)
    fixture.closed(2, .closed(1008))
    #expect(upstream(fixture).state == .failing)
  }

  @Test func waitingAndOpenRequestsAreCounted() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.ask("a")
    fixture.ask("b")
    fixture.ask("c", from: 2)
    let snapshot = fixture.broker.snapshot(at: t(0))
    #expect(snapshot.upstreams[0].waiting == 2)
    #expect(snapshot.openRequests == [1: 2, 2: 1])
    #expect(snapshot.isDraining == false)
    fixture.terminate()
    #expect(fixture.broker.snapshot(at: t(0)).isDraining)
  }
}

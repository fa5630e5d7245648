import Testing

@testable import HotlineCore

@Suite struct BrokerNetworkTests {
  @Test func anIdleConnectionThatDoesNotAnswerTheProbeIsReplacedSoon() {
    var fixture = BrokerFixture.warm()
    #expect(fixture.networkChanged(at: 1_000) == [.sendPing(1, id: 1)])
    #expect(fixture.deadline(at: 3_999) == [])
    #expect(fixture.deadline(at: 4_000) == [.closeConnection(1, .pongTimeout), .dial(2, 0)])
  }

  @Test func aNetworkThatKeepsChangingKeepsNothingDead() {
    var fixture = BrokerFixture.warm()
    for instant in [1_000, 2_000, 3_000] {
      #expect(fixture.networkChanged(at: instant).count == 1)
    }
    #expect(fixture.pass(to: 3_999) == [])
    #expect(fixture.pass(to: 4_000) == [.closeConnection(1, .pongTimeout), .dial(2, 0)])
  }

  @Test func anIdleConnectionThatAnswersIsKept() {
    var fixture = BrokerFixture.warm()
    fixture.networkChanged(at: 1_000)
    fixture.pong(1, id: 1, at: 1_040)
    #expect(fixture.pass(to: 20_000) == [])
    #expect(fixture.pool.connections[1]?.isReady == true)
  }

  @Test func aBusyConnectionHasTheTimeOfAnyPong() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.networkChanged(at: 1_000) == [.sendPing(1, id: 1)])
    #expect(fixture.deadline(at: 10_999) == [])
    #expect(fixture.deadline(at: 11_000).last == .dial(2, 0))
  }

  @Test func theProbeNeverWaitsLongerThanAPongMay() {
    var fixture = BrokerFixture.warm { $0.pongTimeout = .seconds(1) }
    fixture.networkChanged(at: 1_000)
    #expect(fixture.deadline(at: 2_000) == [.closeConnection(1, .pongTimeout), .dial(2, 0)])
  }

  @Test func whatFailedBeforeIsTriedAtOnce() {
    var fixture = BrokerFixture(clients: 1)
    fixture.start()
    fixture.closed(1, ConnectionFailure(.upgradeRefused, "no", status: 401), at: 10)
    #expect(fixture.pool.circuit.error != nil)
    #expect(fixture.networkChanged(at: 20) == [.dial(2, 0)])
    #expect(fixture.pool.circuit.error == nil)
  }

  @Test func nothingIsProbedAfterTheEnd() {
    var fixture = BrokerFixture.warm()
    fixture.terminate()
    #expect(fixture.networkChanged(at: 1_000) == [])
  }
}

import Testing

@testable import HotlineCore

@Suite struct BrokerDrainTests {
  private let late = failure(.shuttingDown, retryable: true)

  @Test func withoutRequestsTheDaemonStopsAtOnceAndOnce() {
    var fixture = BrokerFixture.warm()
    #expect(fixture.broker.isDraining == false)
    #expect(fixture.terminate() == [.stop])
    #expect(fixture.broker.isDraining)
    #expect(fixture.terminate() == [])
    #expect(fixture.nextDeadline == nil)
    #expect(fixture.deadline(at: 100_000) == [])
    #expect(fixture.closed(1, .reset) == [])
    #expect(fixture.hangUp(1) == [])
  }

  @Test func acceptedRequestsAreFinishedWaitingOnesToo() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.ask("b")
    #expect(fixture.terminate() == [])
    #expect(fixture.ask("c") == [.refuse(1, late)])
    #expect(fixture.event(.ended()).last == .send(2, on: 1, lane: nil))
    fixture.handedOver(2)
    let completion = done(.completed, on: 1, reused: true, response: "r2", firstEvent: 0, events: 1)
    #expect(
      fixture.event(.ended(.completed, "r2")) == [
        .deliver(2), .finish(2, nil, completion), .stop,
      ])
    #expect(fixture.deadline(at: 30_000) == [])
  }

  @Test func aConnectionIsDialledForWhatStillWaits() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.terminate()
    #expect(fixture.closed(1, .reset, at: 3_000) == [.dial(2, 0)])
    #expect(fixture.opened(2) == [.send(1, on: 2, lane: nil)])
  }

  @Test func theTimeToDrainRunsOutAtItsLimit() {
    var fixture = BrokerFixture.single(limits: .with { $0.shutdownTimeout = .seconds(1) })
    fixture.run("a", response: "r1", as: 1)
    fixture.ask("b")
    fixture.terminate()
    #expect(fixture.pass(to: 999) == [.notifyQueued(2, position: 1, reason: .busy)])
    #expect(
      fixture.deadline(at: 1_000) == [
        .finish(
          1, failure(.shuttingDown, sent: .yes, retryable: true),
          done(
            .error, on: 1, reused: true, response: "r1", firstEvent: 0, total: 1_000, events: 1)),
        .finish(2, late, done(.error, queued: 1_000, total: 1_000)),
        .stop,
      ])
    #expect(fixture.nextDeadline == nil)
  }

  @Test func aSecondRequestEndsAtOnce() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.handedOver(1)
    fixture.terminate()
    #expect(
      fixture.terminate() == [
        .finish(
          1, failure(.shuttingDown, sent: .unknown, retryable: true),
          done(.error, on: 1, reused: true)),
        .stop,
      ])
    #expect(fixture.terminate() == [])
  }

  @Test func aConversationEndsWithTheDaemonAsShuttingDown() {
    var fixture = BrokerFixture.single()
    fixture.ask("a") { $0.conversation = "c" }
    fixture.ask("b") {
      $0.conversation = "c"; $0.previousResponseID = "r9"
    }
    fixture.terminate()
    #expect(
      fixture.terminate() == [
        .finish(1, late, done(.error, on: 1, reused: true)),
        .finish(2, late, done(.error)),
        .stop,
      ])
  }

  @Test func aCancelledLastRequestEndsTheDrain() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.terminate()
    #expect(fixture.cancel("a").last == .stop)
  }

  @Test func aHangUpOfTheLastClientEndsTheDrain() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.terminate()
    #expect(fixture.hangUp(1).last == .stop)
  }

  @Test func halfClosedClientsAreClosedBeforeTheEnd() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.halfClose(1)
    fixture.terminate()
    #expect(
      fixture.terminate() == [
        .finish(1, late, done(.error, on: 1, reused: true)), .closeClient(1), .stop,
      ])
  }
}

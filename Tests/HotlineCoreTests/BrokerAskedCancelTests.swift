import Testing

@testable import HotlineCore

/// Servers that are asked to end what nobody wants.
@Suite struct BrokerAskedCancelTests {
  private static func single() -> BrokerFixture { .single { $0.cancel = .ask } }

  @Test func theServerIsAskedToEndACancelledResponse() {
    var fixture = Self.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.cancel("a").last == .cancelResponse("r1", on: 1))
    #expect(fixture.broker.counters.cancelsAsked == 1)
    #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
    #expect(fixture.event(.text) == [])
    #expect(fixture.event(.ended(.cancelled, "r1")) == [.send(2, on: 1, lane: nil)])
  }

  @Test func theServerIsAskedWhenItHasNamedTheResponse() {
    var fixture = Self.single()
    fixture.ask("a")
    #expect(fixture.cancel("a").count == 1)
    fixture.handedOver(1)
    #expect(fixture.event(.notice) == [])
    #expect(fixture.event(.created("r1")) == [.cancelResponse("r1", on: 1)])
    #expect(fixture.event(.created("r1")) == [])
    #expect(fixture.event(.ended(.cancelled, "r1")) == [])
    #expect(fixture.broker.counters.cancelsAsked == 1)
  }

  @Test func aHangUpIsACancel() {
    var fixture = Self.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.hangUp(1).last == .cancelResponse("r1", on: 1))
  }

  @Test(arguments: [Outcome.completed, .incomplete, .failed])
  func aResponseThatEndedBeforeItWasCancelledCostsItsConnection(outcome: Outcome) {
    var fixture = Self.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.cancel("a")
    #expect(
      fixture.event(.ended(outcome, "r1")) == [.closeConnection(1, .abandoned), .dial(2, 0)])
  }

  @Test func aServerThatRefusesTheCancelCostsItsConnection() {
    var fixture = Self.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.cancel("a")
    #expect(
      fixture.event(.error("unknown_event"))
        == [.closeConnection(1, .errorInResponse), .dial(2, 0)])
  }

  @Test func aServerThatDoesNothingIsGivenUpInTime() {
    var fixture = BrokerFixture.single {
      $0.cancel = .ask
      $0.abandonedTimeout = .seconds(5)
    }
    fixture.run("a", response: "r1", as: 1)
    fixture.cancel("a")
    #expect(fixture.nextDeadline == t(5_000))
    #expect(
      fixture.deadline(at: 5_000) == [.closeConnection(1, .abandonedTimeout), .dial(2, 0)])
  }

  @Test func aSuccessorOfACancelledResponseIsCancelledToo() {
    var fixture = Self.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.control("a")
    fixture.event(.answer(.accepted, about: "r1"))
    #expect(fixture.event(.superseded("r1")) == [.deliver(1)])
    // Between the two there is nothing that could be ended.
    #expect(fixture.cancel("a").count == 1)
    #expect(fixture.event(.created("r2")) == [.cancelResponse("r2", on: 1)])
    #expect(fixture.event(.ended(.cancelled, "r2")) == [])
  }

  @Test func othersAreNeverAsked() {
    for policy in [CancelPolicy.drop, .drain] {
      var fixture = BrokerFixture.single { $0.cancel = policy }
      fixture.run("a", response: "r1", as: 1)
      fixture.cancel("a")
      #expect(fixture.broker.counters.cancelsAsked == 0)
    }
  }
}

import Testing

@testable import HotlineCore

@Suite struct BrokerControlTests {
  @Test func aControlMessageGoesToTheConnectionOfItsRequestWithItsResponse() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.control("a") == [.forward(1, on: 1, lane: nil, responseID: "r1")])
    #expect(
      fixture.control("a", response: "r1") == [.forward(1, on: 1, lane: nil, responseID: "r1")])
    #expect(fixture.broker.counters.controlsForwarded == 2)
  }

  @Test func anotherResponseThanTheOwnIsRefused() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    let error = failure(.invalidRequest, origin: .client, param: "previous_response_id")
    #expect(fixture.control("a", response: "r2") == [.refuse(1, error)])
  }

  @Test func anUnknownRequestIsRefused() {
    var fixture = BrokerFixture.single(clients: 2)
    fixture.run("a", response: "r1", as: 1)
    let error = failure(.unknownRequestID, origin: .client, param: "request_id")
    #expect(fixture.control("b") == [.refuse(1, error)])
    #expect(fixture.control("a", by: 2) == [.refuse(2, error)])
    fixture.event(.ended())
    #expect(fixture.control("a") == [.refuse(1, error)])
  }

  @Test func aRequestWhoseResponseHasNotBegunIsRefused() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.ask("b")
    let error = failure(.invalidRequest, origin: .client, retryable: true, param: "request_id")
    #expect(fixture.control("a") == [.refuse(1, error)])
    #expect(fixture.control("b") == [.refuse(1, error)])
    fixture.handedOver(1)
    #expect(fixture.control("a") == [.refuse(1, error)])
  }

  @Test func aSteeredResponseRetiresItsConnectionWhenItEnds() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.control("a")
    #expect(fixture.event(.text) == [.deliver(1)])
    #expect(
      fixture.event(.ended(.incomplete, "r1")) == [
        .deliver(1),
        .finish(
          1, nil,
          done(
            .incomplete, on: 1, reused: true, response: "r1", firstEvent: 0, firstText: 0,
            events: 3)),
        .closeConnection(1, .steered), .dial(2, 0),
      ])
  }

  @Test func aSteeredResponseMayGoOnUnderAnotherId() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    fixture.control("a")
    #expect(fixture.event(.created("r2")) == [.deliver(1)])
    #expect(fixture.control("a") == [.forward(1, on: 1, lane: nil, responseID: "r2")])
    #expect(fixture.event(.ended(.completed, "r2")).contains(.closeConnection(1, .steered)))
  }
}

import Testing

@testable import HotlineCore

@Suite struct BrokerControlTests {
  @Test func aControlMessageGoesToTheConnectionOfItsRequestWithItsResponse() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(fixture.control("a") == [.forward(1, on: 1, responseID: "r1")])
    #expect(
      fixture.control("a", response: "r1") == [.forward(1, on: 1, responseID: "r1")])
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

  @Test func onlySoManyMessagesMayBeUnanswered() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    let error = failure(.tooManyRequests, origin: .client, retryable: true)
    for message in [ControlMessage.steer, .interrupt] {
      for _ in 1...Steering.messagesMax {
        #expect(fixture.control("a", message) == [.forward(1, on: 1, responseID: "r1")])
      }
      #expect(fixture.control("a", message) == [.refuse(1, error)])
    }
    fixture.event(.answer(.accepted))
    #expect(fixture.control("a", .inject) == [.forward(1, on: 1, responseID: "r1")])
    #expect(fixture.control("a", .inject) == [.refuse(1, error)])
  }
}

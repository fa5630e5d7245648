import Testing

@testable import HotlineCore

@Suite struct BrokerSteeringTests {
  private static func steered(
    _ messages: ControlMessage..., accepted: Int = 0,
    _ upstream: (inout UpstreamLimits) -> Void = { _ in }
  ) -> BrokerFixture {
    var fixture = BrokerFixture.single(upstream)
    fixture.run("a", response: "r1", as: 1)
    for message in messages { fixture.control("a", message) }
    for _ in 0..<accepted { fixture.event(.answer(.accepted, about: "r1")) }
    return fixture
  }

  private static func last(
    _ outcome: Outcome = .completed, response: ByteString, usage: ByteString? = nil,
    earlier: [ByteString] = [], total: Int = 0, events: Int
  ) -> Action {
    var completion = done(
      outcome, on: 1, reused: true, response: response, usage: usage, firstEvent: 0, total: total,
      events: events)
    completion.earlierUsages = earlier
    return .finish(1, nil, completion)
  }

  @Test func aRequestIsSteeredSoOftenAndNoMore() {
    var fixture = Self.steered()
    for number in 1...64 {
      let response = ByteString("r\(number)".utf8)
      let next = ByteString("r\(number + 1)".utf8)
      #expect(fixture.control("a") == [.forward(1, on: 1, responseID: response)])
      fixture.event(.answer(.accepted, about: response))
      fixture.event(.superseded(response, usage: "{}"))
      #expect(fixture.event(.created(next)) == [.deliver(1)])
    }
    let error = failure(.tooManyRequests, origin: .client)
    #expect(fixture.control("a") == [.refuse(1, error)])
    let last = fixture.event(.ended(.completed, "r65"))
    guard case .finish(_, nil, let completion)? = last.last else {
      Issue.record("\(last)")
      return
    }
    #expect(completion.earlierUsages.count == 64)
  }

  /// An interrupted response may be followed by others, but not for ever.
  @Test func aServerThatBringsOneAfterTheOtherIsStopped() {
    var fixture = Self.steered(.interrupt)
    var number = 1
    while number < 1000 {
      number += 1
      let actions = fixture.event(.created(ByteString("r\(number)".utf8)))
      if actions.contains(.closeConnection(1, .unexpectedEvent)) { break }
      #expect(actions == [.deliver(1)])
    }
    #expect(number == 1 + 64 + 16 + 1)
  }

  // MARK: Servers that do not know them

  /// As `EventFacts` of a server that does not know the type of a message.
  private static let unknownType = {
    var event = EventFacts.error("unknown_event")
    event.errorStatus = 400
    return event
  }()

  @Test(arguments: [ControlMessage.steer, .inject, .interrupt])
  func anErrorThatNamesNothingAnswersTheMessage(message: ControlMessage) {
    var fixture = Self.steered(message)
    #expect(fixture.event(Self.unknownType) == [.deliver(1)])
    #expect(fixture.progress(isText: false) == .deliver(1))
    #expect(
      fixture.event(.ended(.completed, "r1")) == [
        .deliver(1), Self.last(response: "r1", events: 4),
      ])
    // The connection is as good as before.
    #expect(fixture.ask("b").contains(.send(2, on: 1, lane: nil)))
  }

  @Test func whatComesAfterTheEndEndsTheRequest() {
    var fixture = Self.steered(.steer)
    #expect(fixture.event(.ended(.completed, "r1")) == [.deliver(1)])
    #expect(
      fixture.event(Self.unknownType) == [.deliver(1), Self.last(response: "r1", events: 3)])
    #expect(fixture.ask("b").contains(.send(2, on: 1, lane: nil)))
  }

  @Test func anErrorEndsAResponseOfWhichNobodyHasSaidAnything() {
    var fixture = Self.steered(.steer)
    fixture.event(Self.unknownType)
    // Every message has had its answer.
    #expect(fixture.event(Self.unknownType).contains { $0.isFinish(of: 1) })
  }

  @Test(arguments: [500, 429, 401])
  func whatDoesNotBlameTheMessageEndsTheResponse(status: Int) {
    var fixture = Self.steered(.steer)
    var event = EventFacts.error("server_error")
    event.errorStatus = status
    #expect(fixture.event(event).contains { $0.isFinish(of: 1) })
  }

  @Test func amongSeveralLanesTheOneThatAskedIsMeant() {
    var fixture = BrokerFixture.running(3, of: 3)
    fixture.control("q2")
    #expect(fixture.broker.lane(of: Self.unknownType, on: 1, of: 0) == .lane(1))
    #expect(fixture.event(Self.unknownType) == [.deliver(2)])
    #expect(fixture.endOnLane(1).contains { $0.isFinish(of: 2) })
    for lane in [0, 2] {
      #expect(fixture.endOnLane(lane).contains { $0.isFinish(of: UInt64(lane + 1)) })
    }
  }

  @Test func ofTwoThatAskedNobodyKnowsWhichIsMeant() {
    var fixture = BrokerFixture.running(3, of: 3)
    for id in ["q1", "q2"] as [ByteString] { fixture.control(id) }
    #expect(fixture.event(Self.unknownType) == [])
    #expect(fixture.event(Self.unknownType) == [])
    // They end when nothing follows, and the third as ever.
    #expect(fixture.endOnLane(2).contains { $0.isFinish(of: 3) })
    for lane in 0..<2 {
      #expect(fixture.endOnLane(lane) == [.deliver(RequestNumber(UInt64(lane + 1)))])
    }
    let actions = fixture.pass(to: 60_000)
    for number in [1, 2] as [UInt64] { #expect(actions.contains { $0.isFinish(of: number) }) }
  }

  @Test func whatEndedWithoutItsAnswerTakesTheErrorFromOthers() {
    var fixture = BrokerFixture.running(2, of: 3) { $0.steerTimeout = .milliseconds(10) }
    fixture.control("q1")
    fixture.endOnLane(0)
    #expect(fixture.deadline(at: 3_010).contains { $0.isFinish(of: 1) })
    // The other is not to blame.
    #expect(fixture.event(Self.unknownType) == [])
    #expect(fixture.endOnLane(1).contains { $0.isFinish(of: 2) })
  }

  // MARK: Successors

  @Test func theResponseThatFollowsIsOfTheSameRequest() {
    var fixture = Self.steered(.steer)
    #expect(fixture.event(.answer(.accepted, about: "r1")) == [.deliver(1)])
    #expect(fixture.event(.superseded("r1", usage: "{1}")) == [.deliver(1)])
    #expect(fixture.event(.created("r2")) == [.deliver(1)])
    #expect(fixture.progress(isText: false) == .deliver(1))
    #expect(
      fixture.event(.ended(.completed, "r2", usage: "{2}")) == [
        .deliver(1),
        Self.last(response: "r2", usage: "{2}", earlier: ["{1}"], events: 6),
      ])
    // The lane is as good as before.
    fixture.run("b", response: "r3", as: 2)
    #expect(fixture.event(.ended()).contains(.deliver(2)))
  }

  @Test func aResponseThatEndedOfItselfMayBeFollowedToo() {
    var fixture = Self.steered(.steer, accepted: 1)
    #expect(fixture.event(.ended(.completed, "r1")) == [.deliver(1)])
    #expect(fixture.event(.created("r2")) == [.deliver(1)])
    #expect(
      fixture.event(.ended(.failed, "r2")) == [
        .deliver(1), Self.last(.failed, response: "r2", events: 5),
      ])
  }

  @Test func aSuccessorMayBeSteeredAsWell() {
    var fixture = Self.steered(.steer, accepted: 1)
    fixture.event(.superseded("r1"))
    fixture.event(.created("r2"))
    #expect(fixture.control("a") == [.forward(1, on: 1, responseID: "r2")])
    fixture.event(.answer(.accepted, about: "r2"))
    #expect(fixture.event(.superseded("r2")) == [.deliver(1)])
    fixture.event(.created("r3"))
    #expect(
      fixture.event(.ended(.completed, "r3")) == [
        .deliver(1), Self.last(response: "r3", events: 8),
      ])
  }

  @Test func oneSuccessorTakesAllThatWasAccepted() {
    var fixture = Self.steered(.steer, .steer, accepted: 2)
    fixture.event(.superseded("r1"))
    fixture.event(.created("r2"))
    #expect(
      fixture.event(.ended(.completed, "r2")) == [
        .deliver(1), Self.last(response: "r2", events: 6),
      ])
  }

  @Test func theServersWordThatAnotherFollowsIsEnough() {
    var fixture = Self.steered(.steer)
    #expect(fixture.event(.superseded("r1")) == [.deliver(1)])
    fixture.event(.answer(.failed(wasAccepted: false), about: "r1"))
    #expect(fixture.event(.created("r2")) == [.deliver(1)])
    #expect(
      fixture.event(.ended(.completed, "r2")) == [
        .deliver(1), Self.last(response: "r2", events: 5),
      ])
  }

  @Test func nobodyWaitsForWhatFollowsAResponseThatNobodySteered() {
    var fixture = BrokerFixture.single()
    fixture.run("a", response: "r1", as: 1)
    #expect(
      fixture.event(.superseded("r1")) == [
        .deliver(1), Self.last(.incomplete, response: "r1", events: 2),
      ])
  }

  // MARK: What settles a message

  @Test(arguments: [
    (ControlMessage.steer, ControlAnswer.failed(wasAccepted: false)), (.inject, .applied),
    (.inject, .failed(wasAccepted: false)), (.steer, .pending),
  ])
  func anAnswerAfterWhichNothingFollowsEndsTheRequest(
    message: ControlMessage, answer: ControlAnswer
  ) {
    var fixture = Self.steered(message)
    #expect(fixture.event(.ended(.completed, "r1", usage: "{}")) == [.deliver(1)])
    #expect(
      fixture.event(.answer(answer, about: "r1")) == [
        .deliver(1), Self.last(response: "r1", usage: "{}", events: 3),
      ])
  }

  @Test(arguments: [ControlAnswer.failed(wasAccepted: true), .pending])
  func whatWasAcceptedMayComeToNothing(answer: ControlAnswer) {
    var fixture = Self.steered(.steer, accepted: 1)
    #expect(fixture.event(.ended(.completed, "r1")) == [.deliver(1)])
    #expect(
      fixture.event(.answer(answer, about: "r1")) == [
        .deliver(1), Self.last(response: "r1", events: 4),
      ])
  }

  @Test func otherWordsAboutAMessageSettleNothing() {
    var fixture = Self.steered(.steer)
    fixture.event(.ended(.completed, "r1"))
    #expect(fixture.event(.answer(.other, about: "r1")) == [.deliver(1)])
    #expect(fixture.control("a") == [.forward(1, on: 1, responseID: "r1")])
  }

  @Test func whatIsAnsweredBeforeTheEndDelaysNothing() {
    var fixture = Self.steered(.steer, .inject)
    fixture.event(.answer(.failed(wasAccepted: false), about: "r1"))
    fixture.event(.answer(.applied, about: "r1"))
    #expect(
      fixture.event(.ended(.completed, "r1")) == [
        .deliver(1), Self.last(response: "r1", events: 4),
      ])
  }

  @Test func whatWasNotSentIsNotWaitedFor() {
    var fixture = Self.steered(.steer)
    #expect(fixture.withdraw(.steer, of: 1) == [])
    #expect(
      fixture.event(.ended(.completed, "r1")) == [
        .deliver(1), Self.last(response: "r1", events: 2),
      ])
    #expect(fixture.withdraw(.steer, of: 1) == [])
  }

  @Test func whatWasNotSentAfterTheEndEndsTheRequest() {
    var fixture = Self.steered(.steer)
    fixture.event(.ended(.completed, "r1"))
    #expect(fixture.withdraw(.steer, of: 1) == [Self.last(response: "r1", events: 2)])
  }

  @Test func anAnswerAboutAnotherResponseReachesNobody() {
    var fixture = Self.steered(.steer)
    #expect(fixture.event(.answer(.accepted, about: "r0")) == [])
    #expect(fixture.broker.counters.idleEventsIgnored == 1)
    // One about an earlier response of the same request is its client's.
    fixture.event(.answer(.accepted, about: "r1"))
    fixture.event(.superseded("r1"))
    fixture.event(.created("r2"))
    #expect(fixture.event(.answer(.failed(wasAccepted: false), about: "r1")) == [.deliver(1)])
  }

  @Test func anAnswerBeforeTheResponseReachesNobody() {
    var fixture = BrokerFixture.single()
    fixture.ask("a")
    fixture.handedOver(1)
    #expect(fixture.event(.answer(.accepted)) == [])
    #expect(fixture.event(.created("r1")) == [.deliver(1)])
  }

  // MARK: What does not come

  @Test func whatDoesNotComeInTimeIsNotWaitedFor() {
    var fixture = Self.steered(.steer, accepted: 1) { $0.steerTimeout = .seconds(5) }
    fixture.event(.ended(.completed, "r1", usage: "{}"))
    #expect(fixture.deadline(at: 4_999) == [])
    #expect(
      fixture.deadline(at: 5_000) == [
        Self.last(response: "r1", usage: "{}", total: 5_000, events: 3),
        .closeConnection(1, .steered), .dial(2, 0),
      ])
  }

  @Test func anEventThatNamesNoResponseBetweenTwoIsAViolation() {
    var fixture = Self.steered(.steer, accepted: 1)
    fixture.event(.ended(.completed, "r1"))
    #expect(fixture.progress(isText: true) == .unusual)
    let error = failure(.upstreamProtocol, origin: .upstream, sent: .yes, retryable: true)
    let actions = fixture.event(.text)
    #expect(
      actions.first
        == .finish(
          1, error, done(.error, on: 1, reused: true, response: "r1", firstEvent: 0, events: 3)))
    #expect(actions.contains(.closeConnection(1, .unexpectedEvent)))
  }

  @Test func aLossBetweenTwoResponsesIsTheRequests() {
    var fixture = Self.steered(.steer, accepted: 1)
    fixture.event(.ended(.completed, "r1", usage: "{}"))
    let error = failure(.connectionLost, origin: .upstream, sent: .yes, retryable: true)
    #expect(
      fixture.closed(1, ConnectionFailure(.lost, "gone")).first
        == .finish(
          1, error,
          done(
            .error, on: 1, reused: true, response: "r1", usage: "{}", firstEvent: 0, events: 3)))
  }

  @Test func aCancelBetweenTwoResponsesEndsTheRequest() {
    var fixture = Self.steered(.steer, accepted: 1) { $0.cancel = .drain }
    fixture.event(.ended(.completed, "r1"))
    #expect(fixture.cancel("a").count == 1)
    #expect(fixture.event(.created("r2")) == [])
    #expect(fixture.ask("b") == [.accept(2, madeID: nil)])
    #expect(fixture.event(.ended(.completed, "r2")) == [.send(2, on: 1, lane: nil)])
  }

  @Test func whatIsUnansweredOfACancelledResponseKeepsItsLane() {
    var fixture = Self.steered(.steer) { $0.cancel = .drain }
    fixture.cancel("a")
    fixture.ask("b")
    #expect(fixture.event(.ended(.completed, "r1")) == [])
    #expect(
      fixture.event(.answer(.failed(wasAccepted: false), about: "r1"))
        == [.send(2, on: 1, lane: nil)])
  }

  // MARK: Interrupts

  @Test func anInterruptedResponseRetiresItsConnectionWhenItEnds() {
    var fixture = Self.steered(.interrupt)
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

  @Test func anInterruptedResponseMayGoOnUnderAnotherId() {
    var fixture = Self.steered(.interrupt)
    #expect(fixture.event(.created("r2")) == [.deliver(1)])
    #expect(fixture.control("a", .interrupt) == [.forward(1, on: 1, responseID: "r2")])
    #expect(fixture.event(.ended(.completed, "r2")).contains(.closeConnection(1, .steered)))
  }

  @Test func aPingThatIsDueTooDelaysNothing() {
    var fixture = Self.steered(.steer, accepted: 1) {
      $0.pingInterval = .seconds(20)
      $0.steerTimeout = .seconds(20)
    }
    fixture.event(.ended(.completed, "r1"))
    let actions = fixture.deadline(at: 20_000)
    #expect(actions.contains { if case .sendPing = $0 { true } else { false } }, "\(actions)")
    #expect(actions.contains { if case .finish(1, nil, _) = $0 { true } else { false } })
  }

  // MARK: Lanes

  @Test func anAnswerWithoutALaneFindsItsLaneByItsResponse() {
    var fixture = BrokerFixture.running(3, of: 3)
    fixture.control("q2")
    #expect(fixture.event(.answer(.failed(wasAccepted: false), about: "r2")) == [.deliver(2)])
    #expect(fixture.event(.answer(.accepted, about: "r9")) == [])
    #expect(fixture.event(.answer(.accepted)) == [])
    let (about2, about9) = (
      EventFacts.answer(.accepted, about: "r2"), EventFacts.answer(.accepted, about: "r9")
    )
    #expect(fixture.broker.lane(of: about2, on: 1, of: 0) == .lane(1))
    #expect(fixture.broker.lane(of: about9, on: 1, of: 0) == .none)
    #expect(fixture.broker.lane(of: about9.of(.lane(2)), on: 1, of: 0) == .lane(2))
    #expect(fixture.broker.lane(of: .text, on: 1, of: 0) == .none)
    #expect(fixture.event(.answer(.accepted, about: "r2").of(.lane(1))) == [.deliver(2)])
    #expect(fixture.event(.answer(.accepted, about: "r2").of(.lane(0))) == [])
  }

  @Test func aSuccessorOnALaneLeavesTheOthersAlone() {
    var fixture = BrokerFixture.running(2, of: 2)
    fixture.control("q2")
    fixture.event(.answer(.accepted, about: "r2").of(.lane(1)))
    #expect(fixture.event(.superseded("r2").of(.lane(1))) == [.deliver(2)])
    #expect(fixture.event(.text.of(.lane(0))) == [.deliver(1)])
    #expect(fixture.event(.created("r9").of(.lane(1))) == [.deliver(2)])
    #expect(fixture.event(.ended(.completed, "r9").of(.lane(1))).first == .deliver(2))
    #expect(fixture.ask("c").last == .send(3, on: 1, lane: 1))
  }
}

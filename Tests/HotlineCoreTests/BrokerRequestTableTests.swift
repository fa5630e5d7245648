import Testing

@testable import HotlineCore

/// Every stage of a request with every input that may meet it.
@Suite struct BrokerRequestTableTests {
  enum Input: CaseIterable {
    case cancel, cancelByAnother, cancelForAnother, hangUp, halfClose, control, controlOfAnother
    case noticeDue, earlyForTheWait, waitDue, earlyForTheWhole, wholeDue
    case terminate, terminateTwice, drain, networkChange, heard, pong
    case reloadSame, reloadConnections, reloadLanes, reloadRemoved, reloadLimits
    case staleOpening, staleClose, staleEvent, staleHandOver
  }

  private let arrival = RequestStage.arrival

  private func perform(_ input: Input, on fixture: inout BrokerFixture) -> [Action] {
    let soon = arrival + 10
    switch input {
    case .cancel: return fixture.cancel("x", at: soon)
    case .cancelByAnother: return fixture.cancel("x", by: 2, at: soon)
    case .cancelForAnother: return fixture.cancel("x", of: 1, for: 2, at: soon)
    case .hangUp: return fixture.hangUp(1, at: soon)
    case .halfClose: return fixture.halfClose(1, at: soon)
    case .control: return fixture.control("x")
    case .controlOfAnother: return fixture.control("x", by: 2)
    case .noticeDue: return fixture.deadline(at: arrival + 20)
    case .earlyForTheWait, .earlyForTheWhole: return fixture.deadline(at: arrival + 19)
    case .waitDue: return fixture.deadline(at: arrival + 40)
    case .wholeDue: return fixture.deadline(at: arrival + 45)
    case .terminate: return fixture.terminate(at: soon)
    case .terminateTwice:
      fixture.terminate(at: soon)
      return fixture.terminate()
    case .drain: return fixture.drain(1, by: 2, at: soon)
    case .networkChange: return fixture.networkChanged(at: soon)
    case .heard:
      fixture.heard(1, at: soon)
      return fixture.deadline(at: soon)
    case .pong:
      return fixture.pong(1, id: 1, at: soon) + fixture.deadline(at: soon)
    case .reloadSame: return fixture.reload(at: soon)
    case .reloadConnections: return fixture.reload(at: soon) { $0[0].needsNewConnections = true }
    case .reloadLanes: return fixture.reload(at: soon) { $0[0].settings.limits.lanes = 2 }
    case .reloadRemoved: return fixture.reload(at: soon) { $0[0].isRemoved = true }
    case .reloadLimits:
      return fixture.reload(at: soon, limits: .with { $0.queueRequestsMax = 0 })
    case .staleOpening: return fixture.opened(9, at: soon) + fixture.opened(1)
    case .staleClose: return fixture.closed(9, .reset, at: soon)
    case .staleEvent: return fixture.event(.text, on: 9, at: soon)
    case .staleHandOver:
      fixture.broker.requestHandedOver(3, on: 9)
      fixture.broker.requestHandedOver(99)
      return fixture.deadline(at: soon)
    }
  }

  private func expected(_ input: Input, in stage: RequestStage) -> [Action] {
    switch input {
    case .cancel, .hangUp:
      return ended(nil, .cancelled, after: 10, in: stage)
    case .cancelForAnother:
      let error = failure(.cancelled, sent: stage.isSent, retryable: true)
      return ended(error, .cancelled, after: 10, in: stage)
    case .cancelByAnother, .controlOfAnother:
      return [.refuse(2, failure(.unknownRequestID, origin: .client, param: "request_id"))]
    case .control: return controlled(stage)
    case .noticeDue: return noticed(stage)
    case .waitDue:
      guard stage.isWaiting else { return [] }
      let error = failure(.queueTimeout, retryable: true)
      return [.finish(3, error, stage.done(.error, after: 40))]
    case .wholeDue:
      let error = failure(.timeout, sent: stage.isSent, retryable: true)
      return ended(error, .error, after: 45, in: stage)
    case .terminateTwice: return stopped(stage)
    case .networkChange: return [.sendPing(1, id: 1)]
    case .reloadConnections, .reloadLanes: return [.dial(2, 0)]
    case .halfClose, .earlyForTheWait, .earlyForTheWhole, .terminate, .drain, .heard, .pong,
      .reloadSame, .reloadRemoved, .reloadLimits, .staleOpening, .staleClose, .staleEvent,
      .staleHandOver:
      return []
    }
  }

  /// A request that nobody wants any more costs its connection, if it has one.
  private func ended(
    _ error: HotlineError?, _ outcome: Outcome, after total: Int, in stage: RequestStage
  ) -> [Action] {
    let finish = Action.finish(3, error, stage.done(outcome, after: total))
    return stage.isWaiting ? [finish] : [finish, .closeConnection(1, .abandoned), .dial(2, 0)]
  }

  private func controlled(_ stage: RequestStage) -> [Action] {
    switch stage {
    case .queued, .pinned, .bound, .ordered, .sent, .handedOver, .answered:
      let error = failure(.invalidRequest, origin: .client, retryable: true, param: "request_id")
      return [.refuse(1, error)]
    case .begun: return [.forward(3, on: 1, responseID: "r3")]
    }
  }

  private func noticed(_ stage: RequestStage) -> [Action] {
    switch stage {
    case .queued, .pinned, .bound: [.notifyQueued(3, position: 1, reason: .busy)]
    case .ordered: [.notifyQueued(3, position: 1, reason: .order)]
    case .sent, .handedOver, .answered, .begun: []
    }
  }

  private func stopped(_ stage: RequestStage) -> [Action] {
    let error = failure(.shuttingDown, sent: stage.isSent, retryable: true)
    let finish = Action.finish(3, error, stage.done(.error, after: 10))
    guard stage.isWaiting else { return [finish, .stop] }
    let other = failure(.shuttingDown, sent: .yes, retryable: true)
    return [.finish(2, other, RequestStage.other(.error, after: 10)), finish, .stop]
  }

  @Test(arguments: RequestStage.allCases, Input.allCases)
  func everyInputInEveryStage(stage: RequestStage, input: Input) {
    var fixture = stage.fixture()
    #expect(fixture.stage(of: 3) == stage)
    #expect(perform(input, on: &fixture) == expected(input, in: stage))
  }

  @Test(arguments: RequestStage.allCases)
  func aHandOverIsNotedOfWhatRunsOnly(stage: RequestStage) {
    var fixture = stage.fixture()
    fixture.broker.requestHandedOver(3)
    #expect(fixture.stage(of: 3) == (stage == .sent ? .handedOver : stage))
    fixture.broker.requestHandedOver(3, on: 1)
    #expect(fixture.stage(of: 3) == (stage == .sent ? .handedOver : stage))
  }

  @Test(arguments: RequestStage.waiting)
  func whatWaitsIsSentWhenTheOneBeforeItEnds(stage: RequestStage) {
    var fixture = stage.fixture()
    #expect(
      fixture.event(.ended(), at: arrival + 10) == [
        .deliver(2), .finish(2, nil, RequestStage.other(.completed, after: 10, events: 2)),
        .send(3, on: 1, lane: nil),
      ])
  }

  @Test func patienceEndsInTheQueue() {
    var fixture = RequestStage.pinned.fixture {
      $0.waitTimeout = .seconds(1)
      $0.timeout = .seconds(2)
    }
    #expect(fixture.deadline(at: arrival + 20).count == 1)
    #expect(fixture.deadline(at: arrival + 49) == [])
    #expect(fixture.stage(of: 3) == .pinned)
    #expect(fixture.deadline(at: arrival + 50) == [])
    #expect(fixture.stage(of: 3) == .queued)
  }
}

/// Every stage of a request with every way in which its connection may end.
@Suite struct BrokerRequestLossTableTests {
  static let failures: [ConnectionFailure] =
    [
      ConnectionFailure.Kind.unreachable, .proxyRefused, .tls, .upgradeInvalid, .lost,
      .protocolViolation, .local,
    ]
    .map { ConnectionFailure($0, "lost") } + [.upgrade(503), .closed(1011, "oops"), .closed(1009)]

  /// Every kind of failure has its row.
  private func row(of kind: ConnectionFailure.Kind) -> Bool {
    switch kind {
    case .unreachable, .proxyRefused, .tls, .upgradeRefused, .upgradeInvalid, .closed, .lost,
      .protocolViolation, .local:
      Self.failures.contains { $0.kind == kind }
    }
  }

  private func error(
    _ failure: ConnectionFailure, sent: HotlineError.Sent, hasBegun: Bool
  ) -> HotlineError {
    let isViolation = failure.kind == .protocolViolation
    return HotlineCoreTests.failure(
      isViolation ? .upstreamProtocol : .connectionLost, origin: .upstream, sent: sent,
      // What was answered was not too big.
      retryable: failure.closeCode != 1009 || hasBegun, status: failure.status,
      closeCode: failure.closeCode, closeReason: failure.closeReason)
  }

  private func expected(_ failure: ConnectionFailure, in stage: RequestStage) -> [Action] {
    let other = Action.finish(
      2, error(failure, sent: .yes, hasBegun: true), RequestStage.other(.error, after: 10))
    let own = Action.finish(
      3, error(failure, sent: stage.isSent, hasBegun: stage == .begun),
      stage.done(.error, after: 10))
    switch stage {
    case .queued, .pinned, .ordered: return [other, .dial(2, 0)]
    case .bound:
      let lost = HotlineCoreTests.failure(.conversationLost, param: "previous_response_id")
      return [other, .finish(3, lost, stage.done(.error, after: 10)), .dial(2, 0)]
    case .sent: return failure.closeCode == 1009 ? [own, .dial(2, 0)] : [.dial(2, 0)]
    case .handedOver, .answered, .begun: return [own, .dial(2, 0)]
    }
  }

  @Test(arguments: RequestStage.allCases, failures)
  func everyFailureInEveryStage(stage: RequestStage, failure: ConnectionFailure) {
    #expect(row(of: failure.kind))
    var fixture = stage.fixture()
    #expect(
      fixture.closed(1, failure, at: RequestStage.arrival + 10) == expected(failure, in: stage))
  }

  @Test(arguments: RequestStage.allCases, failures)
  func whatMayBeResentIsResentWhereNothingAnswered(
    stage: RequestStage, failure: ConnectionFailure
  ) {
    var fixture = stage.fixture { $0.resendsUnanswered = true }
    let isResent = stage == .handedOver && failure.closeCode != 1009
    #expect(
      fixture.closed(1, failure, at: RequestStage.arrival + 10)
        == (isResent ? [.dial(2, 0)] : expected(failure, in: stage)))
    #expect((fixture.broker.requests[3]?.sentBefore == .unknown) == isResent)
  }
}

/// Every stage of a request that runs with every kind of event.
@Suite struct BrokerRequestEventTableTests {
  private func expected(_ sample: EventSample, in stage: RequestStage) -> [Action] {
    switch stage {
    case .queued, .pinned, .bound, .ordered: return []
    case .sent: return beforeTheHandOver(sample)
    case .handedOver, .answered: return beforeTheResponse(sample, stage)
    case .begun: return inTheResponse(sample)
    }
  }

  private func beforeTheHandOver(_ sample: EventSample) -> [Action] {
    switch sample {
    case .unknown, .notice: []
    case .refusal: [.closeConnection(1, .refusedByServer), .dial(2, 0)]
    case .progress, .created, .text, .terminal, .namelessTerminal, .error, .unusable, .late:
      [.closeConnection(1, .unexpectedEvent), .dial(2, 0)]
    }
  }

  /// The first event of a response names it on this server: what does not is not of it.
  private func beforeTheResponse(_ sample: EventSample, _ stage: RequestStage) -> [Action] {
    let wasAnswered = stage == .answered
    let (first, events) = (wasAnswered ? 0 : 10, wasAnswered ? 2 : 1)
    switch sample {
    case .unknown, .created, .notice, .unusable: return [.deliver(3)]
    case .progress, .text, .namelessTerminal, .late: return violation(stage)
    case .terminal:
      let end = done(
        .completed, on: 1, reused: true, response: "r3", firstEvent: first, total: 10,
        events: events)
      return [.deliver(3), .finish(3, nil, end)]
    case .error:
      let end = done(.error, on: 1, reused: true, firstEvent: first, total: 10, events: events)
      return [.deliver(3), .finish(3, nil, end)]
    case .refusal: return [.closeConnection(1, .refusedByServer), .dial(2, 0)]
    }
  }

  private func inTheResponse(_ sample: EventSample) -> [Action] {
    func end(_ outcome: Outcome) -> Action {
      .finish(
        3, nil,
        done(
          outcome, on: 1, reused: true, response: "r3", firstEvent: 0, total: 10, events: 2))
    }
    switch sample {
    case .unknown, .progress, .text, .notice, .unusable: return [.deliver(3)]
    case .created, .late: return violation(.begun)
    case .terminal, .namelessTerminal: return [.deliver(3), end(.completed)]
    case .error:
      return [.deliver(3), end(.error), .closeConnection(1, .errorInResponse), .dial(2, 0)]
    case .refusal:
      return [.deliver(3), end(.error), .closeConnection(1, .refusedByServer), .dial(2, 0)]
    }
  }

  private func violation(_ stage: RequestStage) -> [Action] {
    let error = failure(
      .upstreamProtocol, origin: .upstream, sent: stage.isSent, retryable: true)
    return [
      .finish(3, error, stage.done(.error, after: 10)), .closeConnection(1, .unexpectedEvent),
      .dial(2, 0),
    ]
  }

  @Test(arguments: RequestStage.running, EventSample.allCases)
  func everyKindInEveryStage(stage: RequestStage, sample: EventSample) {
    #expect(EventSample.sample(of: sample.event.kind).event.kind == sample.event.kind)
    var fixture = stage.fixture()
    #expect(
      fixture.event(sample.event, at: RequestStage.arrival + 10) == expected(sample, in: stage))
  }

  @Test(arguments: RequestStage.running, [true, false])
  func theHotPathIsForResponsesThatHaveBegun(stage: RequestStage, isText: Bool) {
    var fixture = stage.fixture()
    #expect(fixture.progress(isText: isText) == (stage == .begun ? .deliver(3) : .unusual))
  }
}

extension BrokerFixture {
  func stage(of number: RequestNumber) -> RequestStage? {
    guard let request = broker.requests[number] else { return nil }
    guard case .running(let connection, let lane) = request.state else {
      return RequestStage(request.state, nil)
    }
    return RequestStage(request.state, broker.running(on: connection, lane: lane, of: request))
  }
}

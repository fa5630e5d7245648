import Testing

@testable import HotlineCore

/// What may have become of an accepted request, for tables of every stage with every input.
///
/// In all of them the request is number 3, of client 1, and arrived at ``RequestStage/arrival``,
/// when number 1 had made `r0` on connection 1, the only one. The waiting stages wait while number
/// 2, of client 2, runs there; in the others it has ended before.
enum RequestStage: CaseIterable {
  case queued, pinned, bound, ordered, sent, handedOver, answered, begun

  static let arrival = 3_000
  static let waiting: [Self] = allCases.filter(\.isWaiting)
  static let running: [Self] = allCases.filter { !$0.isWaiting }

  /// The stage of a request, as far as its state tells.
  init(_ state: Request.State, _ running: Lane.Running?) {
    switch state {
    case .queued: self = .queued
    case .pinned: self = .pinned
    case .bound: self = .bound
    case .ordered: self = .ordered
    case .running:
      switch (running?.isHandedOver, running?.isAnswered, running?.hasResponse) {
      case (true, true, true): self = .begun
      case (true, true, _): self = .answered
      case (true, _, _): self = .handedOver
      case (_, _, _): self = .sent
      }
    }
  }

  var isWaiting: Bool {
    switch self {
    case .queued, .pinned, .bound, .ordered: true
    case .sent, .handedOver, .answered, .begun: false
    }
  }

  /// What an error says of it.
  var isSent: HotlineError.Sent {
    switch self {
    case .queued, .pinned, .bound, .ordered, .sent: .no
    case .handedOver: .unknown
    case .answered, .begun: .yes
    }
  }

  /// Its time to wait ends after 40 ms, the whole of it after 45, its patience after 50; it is told
  /// that it waits after 20.
  func fixture(_ change: (inout NewRequest) -> Void = { _ in }) -> BrokerFixture {
    var fixture = BrokerFixture.single(
      clients: 2, limits: .with { $0.queuedNoticeAfter = .milliseconds(20) })
    fixture.pass(to: Self.arrival)
    fixture.serve("z", response: "r0", as: 1, from: 2) { $0.promptCacheKey = "k" }
    fixture.run("h", response: "r1", as: 2, from: 2) {
      if self == .ordered { $0.conversation = "c" }
    }
    if !isWaiting { fixture.event(.ended(.completed, "r1")) }
    fixture.ask("x") {
      $0.waitTimeout = .milliseconds(40)
      $0.timeout = .milliseconds(45)
      prefer(&$0)
      change(&$0)
    }
    switch self {
    case .queued, .pinned, .bound, .ordered, .sent: break
    case .handedOver: fixture.handedOver(3)
    case .answered:
      fixture.handedOver(3)
      fixture.event(.unknown)
    case .begun:
      fixture.handedOver(3)
      fixture.event(.created("r3"))
    }
    return fixture
  }

  private func prefer(_ spec: inout NewRequest) {
    switch self {
    case .pinned: spec.promptCacheKey = "k"
    case .bound: spec.previousResponseID = "r0"
    case .ordered: spec.conversation = "c"
    case .queued, .sent, .handedOver, .answered, .begun: break
    }
  }

  /// How it ends, so many milliseconds after its arrival, with what it had then.
  func done(_ outcome: Outcome, after total: Int) -> Completion {
    switch self {
    case .queued, .pinned, .bound, .ordered:
      HotlineCoreTests.done(outcome, queued: total, total: total)
    case .sent, .handedOver: HotlineCoreTests.done(outcome, on: 1, reused: true, total: total)
    case .answered:
      HotlineCoreTests.done(outcome, on: 1, reused: true, firstEvent: 0, total: total, events: 1)
    case .begun:
      HotlineCoreTests.done(
        outcome, on: 1, reused: true, response: "r3", firstEvent: 0, total: total, events: 1)
    }
  }

  /// What runs beside it, or ran, as it ends, so many milliseconds after the arrival of both.
  static func other(_ outcome: Outcome, after total: Int, events: Int = 1) -> Completion {
    HotlineCoreTests.done(
      outcome, on: 1, reused: true, response: "r1", firstEvent: 0, total: total, events: events)
  }
}

/// The kinds of events that a request may meet.
enum EventSample: CaseIterable {
  case unknown, progress, created, text, terminal, namelessTerminal, error, refusal, notice,
    unusable
  /// The beginning of the response before.
  case late

  var event: EventFacts {
    switch self {
    case .unknown: .unknown
    case .progress: .progress
    case .created: .created("r4")
    case .text: .text
    case .terminal: .ended(.completed, "r3")
    case .namelessTerminal: .ended()
    case .error: .error("bad")
    case .refusal: .error("session_expired")
    case .notice: .notice
    case .unusable: .unusable
    case .late: .created("r1")
    }
  }

  /// Every kind has its sample.
  static func sample(of kind: EventFacts.Kind) -> Self {
    switch kind {
    case .progress: .progress
    case .text: .text
    case .terminal: .terminal
    case .error: .error
    case .notice: .notice
    case .unusable: .unusable
    }
  }
}

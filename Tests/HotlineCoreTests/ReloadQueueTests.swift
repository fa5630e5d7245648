import Testing

@testable import HotlineCore

/// Every state with every input. Another input does not compile until it has its rows.
@Suite struct ReloadQueueTests {
  typealias Asker = ReloadQueue.Asker

  enum Stage: CaseIterable {
    case idle, asked, reading, askedWhileReading

    var queue: ReloadQueue {
      var queue = ReloadQueue()
      guard self != .idle else { return queue }
      queue.asked(by: .signal)
      guard self != .asked else { return queue }
      _ = queue.beginReading()
      if self == .askedWhileReading { queue.asked(by: .command(1)) }
      return queue
    }
  }

  enum Input: CaseIterable {
    case signal, command, begin, ended, endAll
  }

  struct Answer: Equatable {
    /// Whether to read now; nil: the input is no such question.
    var isBeginning: Bool?
    /// Who is answered by it.
    var answered: [Asker] = []
    var reading: [Asker] = []
    var waiting: [Asker] = []
  }

  private func answer(_ stage: Stage, _ input: Input) -> Answer {
    var queue = stage.queue
    var answer = Answer()
    switch input {
    case .signal: queue.asked(by: .signal)
    case .command: queue.asked(by: .command(2))
    case .begin: answer.isBeginning = queue.beginReading()
    case .ended: answer.answered = queue.readingEnded()
    case .endAll: answer.answered = queue.endAll()
    }
    answer.reading = queue.reading
    answer.waiting = queue.waiting
    return answer
  }

  private func expected(_ stage: Stage, _ input: Input) -> Answer {
    switch (stage, input) {
    case (.idle, .signal): Answer(waiting: [.signal])
    case (.idle, .command): Answer(waiting: [.command(2)])
    case (.idle, .begin): Answer(isBeginning: false)
    case (.idle, .ended), (.idle, .endAll): Answer()
    // Several signals before a reading are one wish.
    case (.asked, .signal): Answer(waiting: [.signal])
    case (.asked, .command): Answer(waiting: [.signal, .command(2)])
    case (.asked, .begin): Answer(isBeginning: true, reading: [.signal])
    case (.asked, .ended): Answer(waiting: [.signal])
    case (.asked, .endAll): Answer(answered: [.signal])
    // What is being read may be older than what is meant now.
    case (.reading, .signal): Answer(reading: [.signal], waiting: [.signal])
    case (.reading, .command): Answer(reading: [.signal], waiting: [.command(2)])
    case (.reading, .begin): Answer(isBeginning: false, reading: [.signal])
    case (.reading, .ended): Answer(answered: [.signal])
    // The reading still ends, and answers nobody twice.
    case (.reading, .endAll): Answer(answered: [.signal], reading: [.signal])
    case (.askedWhileReading, .signal):
      Answer(reading: [.signal], waiting: [.command(1), .signal])
    case (.askedWhileReading, .command):
      Answer(reading: [.signal], waiting: [.command(1), .command(2)])
    case (.askedWhileReading, .begin):
      Answer(isBeginning: false, reading: [.signal], waiting: [.command(1)])
    case (.askedWhileReading, .ended): Answer(answered: [.signal], waiting: [.command(1)])
    case (.askedWhileReading, .endAll):
      Answer(answered: [.command(1), .signal], reading: [.signal])
    }
  }

  @Test(arguments: Stage.allCases, Input.allCases)
  func everyInputInEveryState(stage: Stage, input: Input) {
    #expect(answer(stage, input) == expected(stage, input))
  }

  @Test func whoAsksDuringAReadingGetsTheNext() {
    var queue = Stage.askedWhileReading.queue
    #expect(queue.readingEnded() == [.signal])
    #expect(queue.beginReading() == true)
    #expect(queue.readingEnded() == [.command(1)])
    #expect(queue.beginReading() == false)
  }
}

import Testing

@testable import HotlineCore

@Suite struct ReloadQueueTests {
  private var queue = ReloadQueue()

  @Test mutating func nothingIsReadUnasked() {
    #expect(queue.beginReading() == false)
    #expect(queue.readingEnded() == [])
  }

  @Test mutating func oneReadingAnswersAllWhoAskedBeforeIt() {
    queue.asked(by: .command(1))
    queue.asked(by: .signal)
    #expect(queue.beginReading() == true)
    #expect(queue.readingEnded() == [.command(1), .signal])
    #expect(queue.beginReading() == false)
  }

  @Test mutating func whoAsksDuringAReadingGetsTheNext() {
    queue.asked(by: .command(1))
    #expect(queue.beginReading() == true)
    queue.asked(by: .command(2))
    #expect(queue.beginReading() == false)
    #expect(queue.readingEnded() == [.command(1)])
    #expect(queue.beginReading() == true)
    #expect(queue.readingEnded() == [.command(2)])
  }

  @Test mutating func severalSignalsBeforeAReadingAreOneWish() {
    queue.asked(by: .signal)
    queue.asked(by: .signal)
    #expect(queue.beginReading() == true)
    queue.asked(by: .signal)
    #expect(queue.readingEnded() == [.signal])
    #expect(queue.beginReading() == true)
  }

  @Test mutating func atTheEndEverybodyIsToldOnce() {
    queue.asked(by: .command(1))
    #expect(queue.beginReading() == true)
    queue.asked(by: .command(2))
    #expect(queue.endAll() == [.command(2), .command(1)])
    // The reading still ends, and nobody is told twice.
    #expect(queue.readingEnded() == [.signal])
    #expect(queue.beginReading() == false)
  }
}

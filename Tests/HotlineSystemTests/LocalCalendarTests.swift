import Foundation
import HotlineSystem
import Testing

@Suite struct LocalCalendarTests {
  /// Foundation's calendar in the time zone of this process, a second opinion.
  private static let calendar = Calendar(identifier: .gregorian)

  /// Days of 23, 24 and 25 hours in whatever zone this is, and one before 1970.
  @Test(arguments: [
    -86_401, 0, 1_774_742_399, 1_774_746_000, 1_792_889_999, 1_795_400_000, 4_000_000_000,
  ])
  func aDayGoesFromMidnightToMidnight(_ time: Int64) throws {
    let day = LocalCalendar.day(containing: time)
    let interval = try #require(
      Self.calendar.dateInterval(of: .day, for: Date(timeIntervalSince1970: Double(time))))
    #expect(day.beginsAt == Int64(interval.start.timeIntervalSince1970))
    #expect(day.endsAt == Int64(interval.end.timeIntervalSince1970))
    #expect(day.contains(time) && day.contains(day.beginsAt) && day.contains(day.endsAt - 1))
    #expect(!day.contains(day.endsAt) && !day.contains(day.beginsAt - 1))
    #expect(LocalCalendar.day(containing: day.endsAt) != day)
    #expect(LocalCalendar.day(containing: day.endsAt - 1) == day)
  }

  @Test func itsWordsAreThoseOfRFC3339() throws {
    let day = LocalCalendar.day(containing: 1_795_400_000)
    let parser = ISO8601DateFormatter()
    let end = try #require(parser.date(from: day.endInWords), "\(day.endInWords)")
    #expect(Int64(end.timeIntervalSince1970) == day.endsAt)
    #expect(day.date.wholeMatch(of: #/\d{4}-\d\d-\d\d/#) != nil)
  }
}

import Glibc

/// One day as the clocks of this place have it, from midnight to midnight.
package struct CalendarDay: Hashable, Sendable {
  /// `2026-11-23`
  package let date: String
  /// In seconds since 1970, in UTC.
  package let beginsAt: Int64
  package let endsAt: Int64
  /// The end, for people: `2026-11-24T00:00:00+01:00`.
  package let endInWords: String

  package init(date: String, beginsAt: Int64, endsAt: Int64, endInWords: String) {
    self.date = date
    self.beginsAt = beginsAt
    self.endsAt = endsAt
    self.endInWords = endInWords
  }

  package func contains(_ time: Int64) -> Bool { time >= beginsAt && time < endsAt }
}

/// Which local day an instant of the wall clock is on, by the time zone of the process.
package enum LocalCalendar {
  /// Any thread.
  ///
  /// - Parameter time: in seconds since 1970.
  package static func day(containing time: Int64) -> CalendarDay {
    var instant = time_t(time)
    var parts = tm()
    localtime_r(&instant, &parts)
    let begin = midnight(of: parts, daysLater: 0)
    let end = midnight(of: parts, daysLater: 1)
    // Where a clock was put back over midnight a day is not to be empty.
    let endsAt = max(end, time + 1)
    return CalendarDay(
      date: format("%Y-%m-%d", begin), beginsAt: min(begin, time), endsAt: endsAt,
      endInWords: withColon(format("%Y-%m-%dT%H:%M:%S%z", endsAt)))
  }

  /// Seconds since 1970, by the clock that may be set.
  package static func now() -> Int64 { Int64(time(nil)) }

  /// A day has 23 or 25 hours where the clocks change: the C library knows (mktime(3)).
  private static func midnight(of parts: tm, daysLater: Int32) -> Int64 {
    var midnight = tm()
    midnight.tm_year = parts.tm_year
    midnight.tm_mon = parts.tm_mon
    midnight.tm_mday = parts.tm_mday + daysLater
    midnight.tm_isdst = -1
    return Int64(mktime(&midnight))
  }

  private static func format(_ pattern: String, _ time: Int64) -> String {
    var instant = time_t(time)
    var parts = tm()
    localtime_r(&instant, &parts)
    return format(pattern, parts)
  }

  private static func format(_ pattern: String, _ parts: tm) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { room in
      let count = withUnsafePointer(to: parts) {
        strftime(room.baseAddress, room.count, pattern, $0)
      }
      return String(decoding: UnsafeRawBufferPointer(room)[..<count], as: UTF8.self)
    }
  }

  /// `+01:00` for `+0100` (RFC 3339, 5.6).
  private static func withColon(_ text: String) -> String {
    text.dropLast(2) + ":" + text.suffix(2)
  }
}

import Histogram
import HotlineCore

/// Durations of one kind, to two significant digits, from a microsecond to a day; 32 KB.
struct LatencyHistogram {
  private static let microsecondsMax: UInt64 = 86_400_000_000

  private var histogram = Histogram<UInt64>(
    lowestDiscernibleValue: 1, highestTrackableValue: microsecondsMax,
    numberOfSignificantValueDigits: .two)
  private var microseconds: UInt64 = 0

  var count: UInt64 { histogram.totalCount }
  var sum: Duration { .microseconds(Int64(clamping: microseconds)) }
  var mean: Duration { count == 0 ? .zero : sum / Double(count) }
  var longest: Duration { .microseconds(Int64(clamping: histogram.maxRecorded)) }

  mutating func record(_ duration: Duration) {
    let value = min(UInt64(clamping: duration.wholeNanoseconds / 1000), Self.microsecondsMax)
    histogram.record(value)
    microseconds += value
  }

  /// - Parameter percent: 0 to 100.
  func percentile(_ percent: Double) -> Duration {
    .microseconds(Int64(clamping: histogram.valueAtPercentile(percent)))
  }

  /// How many were not longer, to within a hundredth.
  func count(upTo duration: Duration) -> UInt64 {
    histogram.count(within: 0...UInt64(clamping: duration.wholeNanoseconds / 1000))
  }
}

/// How long one upstream has taken for what; a histogram exists once it has something to hold.
struct UpstreamLatencies {
  enum Kind: String, CaseIterable {
    /// From arrival to the hand-over to a connection.
    case queued
    /// A connection's, from the dial to its opening.
    case connect
    /// From arrival to the first event.
    case firstEvent = "first_event"
    /// From arrival to the first event that carries text.
    case firstText = "first_text"
    /// From arrival to the last line.
    case total
  }

  private var histograms: [Kind: LatencyHistogram] = [:]

  subscript(kind: Kind) -> LatencyHistogram? { histograms[kind] }

  /// Nil is nothing to record.
  mutating func record(_ duration: Duration?, as kind: Kind) {
    guard let duration else { return }
    histograms[kind, default: LatencyHistogram()].record(duration)
  }
}

import HotlineCore

/// A page of metrics in Prometheus' text format, version 0.0.4.
struct PrometheusText {
  enum Kind: String {
    case counter, gauge, histogram
  }

  private(set) var text = ""

  /// Begins a metric; its samples follow.
  mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
  }

  private mutating func sample(
    _ name: String, _ labels: [(String, String)], _ value: some Numeric
  ) {
    let pairs = labels.map { "\($0.0)=\"\(Self.escaped($0.1, quotes: true))\"" }
    text += name + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") + " \(value)\n"
  }

  /// A metric of one kind of sample.
  mutating func metric<Value: Numeric>(
    _ name: String, _ kind: Kind, _ help: String,
    _ samples: [(labels: [(String, String)], value: Value)]
  ) {
    guard !samples.isEmpty else { return }
    begin(name, kind, help)
    for sample in samples { self.sample(name, sample.labels, sample.value) }
  }

  /// Buckets, sum and count of one histogram.
  ///
  /// - Parameter bounds: upper bounds in milliseconds, ascending.
  mutating func histogram(
    _ name: String, _ labels: [(String, String)], _ histogram: LatencyHistogram,
    bounds: [Int]
  ) {
    for bound in bounds {
      let count = histogram.count(upTo: .milliseconds(bound))
      sample(name + "_bucket", labels + [("le", "\(Double(bound) / 1000)")], count)
    }
    sample(name + "_bucket", labels + [("le", "+Inf")], histogram.count)
    sample(name + "_sum", labels, Double(histogram.sum.wholeNanoseconds) / 1e9)
    sample(name + "_count", labels, histogram.count)
  }

  private static func escaped(_ text: String, quotes: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

import HotlineCore
import HotlineSystem
import HotlineWire

/// One step on the way to a server, and how it went.
struct DoctorStep: Hashable, Sendable {
  enum Outcome: Hashable, Sendable {
    case good
    case bad(remedy: String)
    /// One before it failed.
    case skipped
  }

  var name: String
  var outcome: Outcome
  var duration: Duration?
  /// What was found, or what is wrong. Holds no secret.
  var detail: String

  static func good(_ name: String, _ duration: Duration?, _ detail: String) -> DoctorStep {
    DoctorStep(name: name, outcome: .good, duration: duration, detail: detail)
  }

  static func bad(
    _ name: String, _ duration: Duration?, _ detail: String, remedy: String
  ) -> DoctorStep {
    DoctorStep(name: name, outcome: .bad(remedy: remedy), duration: duration, detail: detail)
  }

  static func skipped(_ name: String) -> DoctorStep {
    DoctorStep(name: name, outcome: .skipped, duration: nil, detail: "not tried")
  }

  var isBad: Bool {
    switch outcome {
    case .bad: true
    case .good, .skipped: false
    }
  }
}

/// What the doctor found.
struct DoctorReport: Hashable, Sendable {
  struct Upstream: Hashable, Sendable {
    var name: String
    var url: String
    var steps: [DoctorStep]
  }

  var configuration: DoctorStep
  var upstreams: [Upstream] = []

  var isGood: Bool {
    !configuration.isBad && !upstreams.contains { $0.steps.contains(where: \.isBad) }
  }

  // MARK: For people

  var text: String {
    var text = "hotlined \(hotlineVersion)\n" + line(configuration)
    for upstream in upstreams {
      text += "\n\(upstream.name): \(LogText.sanitized(upstream.url))\n"
      for step in upstream.steps { text += line(step) }
    }
    return text + (isGood ? "\nAll is well.\n" : "\nSomething is wrong: see ✗ above.\n")
  }

  private func line(_ step: DoctorStep) -> String {
    let name = step.name.padded(to: 14)
    let time = (step.duration.map { Self.milliseconds($0) + " ms" } ?? "").padded(to: 11)
    let detail = LogText.sanitized(step.detail)
    switch step.outcome {
    case .good: return "  ✓ \(name)\(time)\(detail)\n"
    case .skipped: return "  - \(name)\(time)\(detail)\n"
    case .bad(let remedy):
      return "  ✗ \(name)\(time)\(detail)\n      → \(LogText.sanitized(remedy))\n"
    }
  }

  /// With one decimal.
  private static func milliseconds(_ duration: Duration) -> String {
    let tenths = (duration.wholeNanoseconds + 50_000) / 100_000
    return "\(tenths / 10).\(tenths % 10)"
  }

  // MARK: For programs

  var json: [UInt8] {
    var line = JSONWriter()
    line.beginObject()
    line.member("version", hotlineVersion)
    line.member("ok", isGood)
    line.name("steps")
    append([configuration], to: &line)
    line.name("upstreams")
    line.beginArray()
    for upstream in upstreams {
      line.beginObject()
      line.member("name", upstream.name)
      line.member("url", upstream.url)
      line.member("ok", !upstream.steps.contains(where: \.isBad))
      line.name("steps")
      append(upstream.steps, to: &line)
      line.endObject()
    }
    line.endArray()
    line.endObject()
    line.endLine()
    return line.bytes
  }

  private func append(_ steps: [DoctorStep], to line: inout JSONWriter) {
    line.beginArray()
    for step in steps {
      line.beginObject()
      line.member("step", step.name)
      line.member("ms", step.duration)
      line.member("detail", step.detail)
      switch step.outcome {
      case .good: line.member("outcome", "ok")
      case .skipped: line.member("outcome", "skipped")
      case .bad(let remedy):
        line.member("outcome", "failed")
        line.member("remedy", remedy)
      }
      line.endObject()
    }
    line.endArray()
  }
}

extension String {
  func padded(to count: Int) -> String {
    self + String(repeating: " ", count: max(1, count - self.count))
  }
}

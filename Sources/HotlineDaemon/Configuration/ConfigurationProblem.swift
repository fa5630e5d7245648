import HotlineSystem

/// One thing wrong with the configuration, in words that hold no secret.
package struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
  /// The full key (`upstream.NAME.url`), flag (`--url`) or variable; empty for the file as a whole.
  package var path: String
  /// What is wrong, the value where it may be shown, what would do.
  package var message: String
  /// In the configuration file, from 1.
  package var line: Int?
  package var column: Int?

  init(_ path: String, _ message: String, line: Int? = nil, column: Int? = nil) {
    self.path = path
    self.message = message
    self.line = line
    self.column = column
  }

  package var description: String {
    var place = ""
    if let line {
      place = column.map { " (line \(line), column \($0))" } ?? " (line \(line))"
    }
    return path.isEmpty ? message + place : "\(path): \(message)\(place)"
  }
}

/// All that is wrong with the configuration.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Never empty; those of the file by line, then those of flags and environment.
  package var problems: [ConfigurationProblem]

  init(_ problems: [ConfigurationProblem]) {
    let order = problems.indices.sorted {
      let (left, right) = (problems[$0], problems[$1])
      return (left.line ?? .max, left.column ?? 0, $0) < (right.line ?? .max, right.column ?? 0, $1)
    }
    self.problems = order.map { problems[$0] }
  }

  /// One problem a line.
  package var description: String {
    problems.map(\.description).joined(separator: "\n")
  }
}

/// What of a value may be shown in a message.
enum Showable {
  /// Longest excerpt of a value.
  static let charactersMax = 64

  private static let secretWords = ["key", "token", "secret", "password", "authorization"]

  /// Whether what stands under this key is never to be shown.
  static func isSecret(_ path: [String]) -> Bool {
    path.contains { name in
      let name = name.lowercased()
      return name == "headers" || secretWords.contains { name.contains($0) }
    }
  }

  /// A text in quotes, at most 64 characters of it.
  static func quoted(_ text: String) -> String {
    "\"" + LogText.excerpt(text, charactersMax: charactersMax) + "\""
  }

  /// A full key as TOML writes it, with a limit on each part: the name of an unknown key is all
  /// that tells which one it is.
  static func path(_ parts: [String]) -> String {
    parts.map { part in
      let isBare = !part.isEmpty && part.utf8.allSatisfy(TOMLOutline.isBareKeyCharacter)
      return isBare && part.utf8.count <= charactersMax ? part : quoted(part)
    }.joined(separator: ".")
  }

  /// The known name that was probably meant, or all known names.
  static func suggestion(for name: String, among known: [String]) -> String {
    let near = known.map { (name: $0, distance: distance($0, name)) }
      .min { $0.distance < $1.distance }
    if let near, near.distance <= 2, near.distance < name.utf8.count {
      return "did you mean \(near.name)?"
    }
    return "known here: " + known.joined(separator: ", ")
  }

  /// Levenshtein's distance, in bytes; more than 64 bytes are far from everything.
  private static func distance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    guard right.count <= 64 else { return .max }
    var row = Array(0...right.count)
    for (leftIndex, leftByte) in left.enumerated() {
      var diagonal = row[0]
      row[0] = leftIndex + 1
      for (rightIndex, rightByte) in right.enumerated() {
        let substituted = diagonal + (leftByte == rightByte ? 0 : 1)
        diagonal = row[rightIndex + 1]
        row[rightIndex + 1] = min(substituted, diagonal + 1, row[rightIndex] + 1)
      }
    }
    return row[right.count]
  }
}

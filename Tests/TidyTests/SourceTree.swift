import Foundation

/// One text file of the repository.
struct SourceFile: Sendable {
  /// From the repository's root on.
  let path: String
  let lines: [String]

  var name: String { String(path.split(separator: "/").last ?? "") }
  var text: String { lines.joined(separator: "\n") }

  /// The lines with their numbers, without what follows `//`.
  var code: [(number: Int, text: String)] {
    lines.enumerated().map { index, line in
      (index + 1, String(line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line[...]))
    }
  }

  /// What the file imports, with the line's number.
  var imports: [(number: Int, module: String)] {
    code.compactMap { number, line in
      let words = line.split(separator: " ").drop { $0.hasPrefix("@") || Self.levels.contains($0) }
      guard words.first == "import", let last = words.last else { return nil }
      return (number, String(last.split(separator: ".").first ?? last))
    }
  }

  private static let levels: Set<Substring> = ["public", "package", "internal", "private"]
}

/// The repository that this file is in.
enum SourceTree {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// All Swift files of products and tests, in the order of their paths.
  static let swift = files(in: ["Sources", "Tests"]) { $0.hasSuffix(".swift") }

  /// The Swift files of one target.
  static func target(_ name: String) -> [SourceFile] {
    swift.filter { $0.path.hasPrefix("Sources/\(name)/") || $0.path.hasPrefix("Tests/\(name)/") }
  }

  /// Every file that people read or run.
  static let all =
    files(in: ["Sources", "Tests", "Packaging", "contrib", ".ci"]) { _ in true }
    + ["README.md", "Package.swift", ".gitignore", "LICENSE"].compactMap(file)

  static func file(_ path: String) -> SourceFile? {
    guard let data = FileManager.default.contents(atPath: root.appending(path: path).path),
      let text = String(bytes: data, encoding: .utf8)
    else { return nil }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    return SourceFile(path: path, lines: lines)
  }

  /// The names of what lies in a directory, hidden ones left out.
  static func names(in directory: String) -> [String] {
    let found = try? FileManager.default.contentsOfDirectory(
      atPath: root.appending(path: directory).path)
    return (found ?? []).filter { !$0.hasPrefix(".") && $0 != "__pycache__" }.sorted()
  }

  static func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(
      atPath: root.appending(path: path).path, isDirectory: &isDirectory) && isDirectory.boolValue
  }

  static func isExecutable(_ path: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: root.appending(path: path).path)
  }

  private static func files(
    in directories: [String], where isWanted: (String) -> Bool
  ) -> [SourceFile] {
    directories.flatMap { directory in
      names(in: directory).flatMap { name in
        let path = "\(directory)/\(name)"
        if isDirectory(path) { return files(in: [path], where: isWanted) }
        return isWanted(path) ? [file(path)].compactMap(\.self) : []
      }
    }
  }
}

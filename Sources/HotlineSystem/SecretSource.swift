import Glibc

/// Why there is no key to be had from a place. It never holds any byte of what was found there.
package enum KeyProblem: Error, Hashable, Sendable {
  case file(FileProblem)
  /// Group or others can read the file at this path. The path is shown for the remedy's sake: it
  /// exists, so it cannot be a key that was given in a path's place.
  case readableByOthers(path: String)
  case empty
  case tooLong(bytesMax: Int)
  case innerWhiteSpace
  case notVisibleASCII

  /// What is wrong and what would do, to follow the name of the place ("--api-key-file: …").
  package var explanation: String {
    switch self {
    case .file(.missing):
      "there is no such file; write the key to one, mode 0600, and name that"
    case .file(.unreadable(let reason)):
      "the file cannot be read (\(reason)); it has to be readable by the daemon's own user"
    case .file(.notRegular):
      "this is not a regular file; name a file that holds the key alone"
    case .file(.tooLarge(let bytesMax)), .tooLong(let bytesMax):
      "more than \(bytesMax) bytes, too long for a key; the file has to hold the key alone"
    case .readableByOthers(let path):
      "group or others can read the key; run: chmod 600 \(LogText.shellQuoted(path))"
    case .empty:
      "there is no key in it, only white space or nothing; put the key there, on one line"
    case .innerWhiteSpace:
      "white space before or inside the key; the key has to stand there alone, on one line"
    case .notVisibleASCII:
      "a control character or a byte that is not ASCII inside the key; copy the key once more"
    }
  }
}

/// A place where a key may lie.
package enum SecretSource: Hashable, Sendable {
  /// A file that nobody but its owner may read.
  case file(String)
  /// A file in the service manager's credentials directory, which sees to who reads it
  /// (systemd.exec(5), CREDENTIALS).
  case credential(String)
  /// An environment variable.
  case environment(String)

  /// Reads the key; nil where nothing is there: no such file, variable not set or empty.
  ///
  /// Any thread; blocks on the disk only.
  /// - Throws: ``KeyProblem`` where something is there that cannot be taken.
  package func read() throws(KeyProblem) -> Secret? {
    switch self {
    case .file(let path):
      return try Self.read(path, mustBePrivate: true)
    case .credential(let path):
      return try Self.read(path, mustBePrivate: false)
    case .environment(let name):
      guard let value = getenv(name), value.pointee != 0 else { return nil }
      let length = strlen(value)
      return try Secret(UnsafeRawBufferPointer(start: value, count: length))
    }
  }

  /// For a private key that a library reads by itself.
  ///
  /// - Throws: ``KeyProblem`` where there is no regular file, or one that others may read.
  package static func checkPrivate(_ path: String) throws(KeyProblem) {
    let file: SmallFile.OpenFile
    switch SmallFile.open(path) {
    case .success(let opened): file = opened
    case .failure(let problem): throw .file(problem)
    }
    defer { close(file.descriptor) }
    guard file.isRegular else { throw .file(.notRegular) }
    guard file.mode & 0o077 == 0 else { throw .readableByOthers(path: path) }
  }

  private static func read(_ path: String, mustBePrivate: Bool) throws(KeyProblem) -> Secret? {
    let file: SmallFile.OpenFile
    switch SmallFile.open(path) {
    case .success(let opened): file = opened
    case .failure(.missing): return nil
    case .failure(let problem): throw .file(problem)
    }
    defer { close(file.descriptor) }
    guard file.isRegular else { throw .file(.notRegular) }
    guard !mustBePrivate || file.mode & 0o077 == 0 else { throw .readableByOthers(path: path) }
    return try Secret(filledBy: { memory in
      var filled = 0
      while filled < memory.count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: memory[filled...])
        let count = SmallFile.readSome(file.descriptor, into: rest)
        guard count >= 0 else { return .failure(.unreadable(errorText(errno))) }
        if count == 0 { break }
        filled += count
      }
      return .success(filled)
    })
  }
}

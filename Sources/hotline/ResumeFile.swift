import Glibc

/// Results of an earlier run, which is to be gone on with.
enum ResumeFile {
  /// Keys of the requests that came to an end which is kept: completed, or cut short by the server.
  ///
  /// If `output` is open on the same file, an unfinished last line is cut off, as the next one
  /// would become a part of it.
  ///
  /// - Throws: `.usage` if the file cannot be read, or was emptied by the shell.
  static func finished(
    in path: String, output: Int32 = STDOUT_FILENO
  ) throws(CommandFailure) -> Set<String> {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw CommandFailure(
        .usage,
        "cannot open \(path): \(systemMessage(errno)); name the file with the results so far")
    }
    defer { close(descriptor) }
    let isOutput = isSameFile(descriptor, output)
    // Without O_APPEND the results so far are overwritten, if the shell has left any.
    if isOutput, fcntl(output, F_GETFL) & O_APPEND == 0 {
      throw CommandFailure(
        .usage, "the results so far in \(path) would be overwritten; append to it with >>")
    }
    var lines = InputLines(descriptor, name: path)
    var keys: Set<String> = []
    try lines.forEach { line in
      guard line.isWhole || !isOutput else { return }
      if let key = line.bytes.withUnsafeBytes({ finishedKey($0) }) { keys.insert(key) }
    }
    if isOutput { ftruncate(output, off_t(lines.wholeByteCount)) }
    return keys
  }

  /// The lines of `send` without --jobs say it too, in `hotline.done`.
  private static func finishedKey(_ line: UnsafeRawBufferPointer) -> String? {
    guard let view = JSONView(line: line), let outcome = view["outcome"]?.string,
      outcome == "completed" || outcome == "incomplete"
    else { return nil }
    return view["request_id"]?.requestKey
  }

  private static func isSameFile(_ one: Int32, _ other: Int32) -> Bool {
    var first = stat()
    var second = stat()
    guard fstat(one, &first) == 0, fstat(other, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
      && first.st_mode & S_IFMT == S_IFREG
  }
}

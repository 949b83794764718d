use super::*;
use std::os::fd::AsRawFd;
use std::process::Command;

#[test]
fn an_opened_file_is_listed_until_it_is_closed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("file");
    let file = std::fs::File::create(&path).expect("a file");
    let number = file.as_raw_fd();
    let descriptor = Descriptor::of(number).expect("it is open");
    assert!(Descriptors::default().open().contains(&descriptor));
    assert_eq!(opened(number), Opened::File(path.to_string_lossy().into_owned()));
    drop(file);
    assert!(!Descriptors::default().open().contains(&descriptor));
}

#[test]
fn a_descriptor_with_a_high_number_is_found() {
    let file = std::fs::File::open("/dev/null").expect("a file");
    let above = RawFd::try_from(FIRST + 44).expect("a number");
    let high = rustix::io::fcntl_dupfd_cloexec(&file, above).expect("a descriptor");
    let numbers: Vec<RawFd> = Descriptors::default()
        .open()
        .iter()
        .map(|found| found.number)
        .collect();
    assert!(numbers.contains(&high.as_raw_fd()) && numbers.contains(&file.as_raw_fd()));
    assert!(numbers.is_sorted());
    let found = |others: &[RawFd]| {
        Descriptors::default()
            .count()
            .map(|count| first_numbers(count, others))
    };
    assert_eq!(found(&[]), Some(None));
    // Known from before, it is asked for.
    let numbers = found(&[file.as_raw_fd(), high.as_raw_fd()]).flatten();
    assert!(numbers.is_none_or(|numbers| numbers.is_sorted() && numbers.contains(&high.as_raw_fd())));
}

#[test]
fn high_numbers_are_asked_for_together_with_the_first_and_may_be_closed() {
    let file = std::fs::File::open("/dev/null").expect("a file");
    let at = |number| rustix::io::fcntl_dupfd_cloexec(&file, number).expect("a descriptor");
    let high: Vec<_> = [700, 800, 900].map(at).into();
    let mut numbers: Vec<RawFd> = high.iter().map(AsRawFd::as_raw_fd).collect();
    assert!(open_of(8, &numbers).is_some_and(|open| open.ends_with(&numbers)));
    drop(high);
    numbers.truncate(1);
    assert!(open_of(8, &numbers).is_some_and(|open| !open.contains(&numbers[0])));
    assert_eq!(open_of(FIRST, &numbers), None);
}

#[test]
fn a_number_that_was_open_at_the_beginning_is_another_one_once_it_was_closed() {
    let first = std::fs::File::open("/dev/null").expect("a file");
    // Numbers of its own, because other tests open files at the same time.
    let number = rustix::io::fcntl_dupfd_cloexec(&first, 200).expect("a descriptor");
    let mut descriptors = Descriptors::default();
    descriptors.begin();
    let same = |descriptors: &mut Descriptors, number: RawFd| {
        let found = descriptors.open();
        found.into_iter().find(|found| found.number == number)
    };
    let known = same(&mut descriptors, number.as_raw_fd());
    assert_eq!(known.map(|known| known.inode), Some(0));
    let freed = number.as_raw_fd();
    drop(number);
    assert_eq!(same(&mut descriptors, freed), None);
    let again = rustix::io::fcntl_dupfd_cloexec(&first, freed).expect("a descriptor");
    assert_eq!(again.as_raw_fd(), freed);
    assert_eq!(same(&mut descriptors, freed), Descriptor::of(freed));
}

#[test]
fn descriptors_are_counted_without_the_directory_too() {
    let mut descriptors = Descriptors::default();
    descriptors.begin();
    let directory = descriptors.directory.expect("a directory");
    let listed = |descriptors: &Descriptors| descriptors.numbers().contains(&directory.number);
    assert!(listed(&descriptors));
    // As if a test had closed it, and its number were another's.
    descriptors.directory = Some(Descriptor {
        inode: 1,
        ..directory
    });
    assert!(descriptors.count().is_some() && listed(&descriptors));
    descriptors.directory = Some(Descriptor {
        number: 250,
        ..directory
    });
    assert!(descriptors.count().is_some() && listed(&descriptors));
}

#[test]
fn sockets_and_pipes_are_told_apart() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    let own = listener.local_addr().expect("an address").to_string();
    assert_eq!(opened(listener.as_raw_fd()), Opened::Socket(Some(own), None));
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    assert_eq!(opened(reader.as_raw_fd()), Opened::Pipe);
}

#[test]
fn a_child_is_listed_while_it_runs_and_until_it_was_waited_for() {
    let mut child = Command::new("sleep").arg("60").spawn().expect("a child");
    assert!(has_children() && children().contains(&child.id()));
    assert!(children_by_parent().contains(&child.id()));
    assert!(!has_ended(child.id()));
    child.kill().expect("it can be killed");
    // It stays listed, because nobody has waited for it.
    assert!(children().contains(&child.id()));
    child.wait().expect("it has ended");
    assert!(!children().contains(&child.id()));
    assert!(has_ended(child.id()));
}

#[test]
fn a_command_has_its_words() {
    assert!(!command(std::process::id()).is_empty());
}

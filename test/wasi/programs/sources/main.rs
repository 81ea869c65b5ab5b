// What a blocking Rust program does: `sleep`, `input`, `files`, `panic` and `exit`, one per run.
use std::fs;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

fn test_sleep() {
    for milliseconds in [50, 100] {
        let start = Instant::now();
        sleep(Duration::from_millis(milliseconds));
        println!("{}", start.elapsed() >= Duration::from_millis(milliseconds));
    }
    let mut numbers = vec![3, 1, 2];
    numbers.sort_by(|a, b| {
        sleep(Duration::from_millis(5));
        b.cmp(a)
    });
    println!("{:?}", numbers);
}

fn test_input() {
    for line in io::stdin().lock().lines() {
        println!("{:?}", line.unwrap());
    }
}

fn test_files() -> io::Result<()> {
    fs::create_dir_all("/work/a/b")?;
    fs::write("/work/a/b/1.txt", "one\n".repeat(1000))?;
    fs::rename("/work/a/b/1.txt", "/work/two.txt")?;
    let mut file = fs::OpenOptions::new().read(true).write(true).open("/work/two.txt")?;
    file.seek(SeekFrom::Start(4))?;
    file.write_all(b"two\n")?;
    file.set_len(12)?;
    file.seek(SeekFrom::Start(0))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    println!("{:?} {}", text, file.metadata()?.len());
    let mut names: Vec<_> = fs::read_dir("/work")?.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    println!("{:?}", names);
    fs::remove_dir_all("/work/a")?;
    for path in ["/work/missing", "/work/two.txt/x", "/etc/passwd"] {
        println!("{:?}", fs::read(path).unwrap_err().kind());
    }
    println!("{:?}", fs::create_dir("/work/two.txt").unwrap_err().kind());
    Ok(())
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("sleep") => test_sleep(),
        Some("input") => test_input(),
        Some("files") => test_files().unwrap(),
        Some("panic") => {
            sleep(Duration::from_millis(20));
            panic!("at the disco");
        }
        _ => {
            sleep(Duration::from_millis(20));
            std::process::exit(42);
        }
    }
}

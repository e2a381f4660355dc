//! Writes what fuzzing starts from, a file for each, into a folder for each target: `fuzz_seeds FOLDER`.

#[path = "../tests/fuzz/seeds.rs"]
mod seeds;

fn main() -> std::io::Result<()> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).expect("a folder"));
    let (sources, modules) = (seeds::sources(), seeds::modules());
    for (target, texts) in
        [("preprocess", &sources), ("parse", &sources), ("front_end", &sources), ("ir_text", &modules)]
    {
        std::fs::create_dir_all(folder.join(target))?;
        let findings = seeds::findings(target).into_iter().map(|f| f.1);
        for (at, text) in texts.iter().cloned().chain(findings).enumerate() {
            std::fs::write(folder.join(target).join(format!("seed-{at:04}")), text)?;
        }
        println!("{target}: {} seeds", texts.len());
    }
    Ok(())
}

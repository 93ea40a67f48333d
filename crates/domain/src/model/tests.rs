use super::{Model, ModelCatalog, Target};

#[test]
fn ten_thousand_names_that_clients_make_up_leave_one_name_in_the_clear_and_nothing_else() {
    let named: ModelCatalog = [Model::new("m", Target::new("own", "m"))].into_iter().collect();
    let catalog = named.with_any(Model::new("*", Target::new("own", "*")));
    let before = format!("{catalog:?}");
    for number in 0..10_000_u32 {
        let name = format!("{:x}/{number}", number.wrapping_mul(2_654_435_761));
        let targets = catalog.get(&name).map(|model| model.targets(1));
        assert_eq!(targets, Some(vec![Target::new("own", name.clone())]));
        assert_eq!(catalog.plain_name(&name), "*");
    }
    assert_eq!((catalog.plain_name("m"), format!("{catalog:?}")), ("m", before));
}

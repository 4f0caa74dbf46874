-- `<apiVersion> <kind>` of the object that stands for a launch, so that it can be removed when its task is not known any more.
alter table launch add column api text;
